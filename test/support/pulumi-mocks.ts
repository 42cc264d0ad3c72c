import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";

/** What a program asked the engine for. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
  readonly protect: boolean;
  readonly retainOnDelete: boolean;
  readonly ignoreChanges: readonly string[];
  readonly deleteBeforeReplace: boolean;
  /** URN; empty when there is none. */
  readonly deletedWith: string;
  /** Outputs that are encrypted in the state. */
  readonly secretOutputs: readonly string[];
}

/** The parts of the request that Pulumi's own mocks do not hand on. */
interface Request {
  getName(): string;
  getProtect(): boolean;
  getRetainondelete(): boolean;
  getIgnorechangesList(): string[];
  getDeletebeforereplace(): boolean;
  getDeletedwith(): string;
  getAdditionalsecretoutputsList(): string[];
}

type Answer = (error: unknown, response?: unknown) => void;

/** The resources since the last {@link Recorded.clear}. */
export interface Recorded {
  readonly all: readonly Registered[];
  ofType(end: string): Registered[];
  clear(): void;
}

/**
 * Puts mocks in the engine's place and records what is declared, options included. Call it before a component is
 * imported.
 */
export async function recordResources(results: Readonly<Record<string, unknown>>): Promise<Recorded> {
  let all: Registered[] = [];
  const requests = new Map<string, Request>();
  const monitor = MockMonitor.prototype as unknown as Record<
    string,
    (request: Request, answer: Answer) => unknown
  >;
  const register = monitor["registerResource"];
  monitor["registerResource"] = function (this: unknown, request, answer) {
    requests.set(request.getName(), request);
    return register?.call(this, request, answer);
  };
  // Hooks never run under mocks; they only have to be taken.
  for (const kind of ["registerResourceHook", "registerErrorHook"])
    monitor[kind] = (_request, answer) => answer(null, {});
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      const request = requests.get(name);
      all.push({
        ...{ type, name, inputs },
        protect: request?.getProtect() ?? false,
        retainOnDelete: request?.getRetainondelete() ?? false,
        ignoreChanges: request?.getIgnorechangesList() ?? [],
        deleteBeforeReplace: request?.getDeletebeforereplace() ?? false,
        deletedWith: request?.getDeletedwith() ?? "",
        secretOutputs: request?.getAdditionalsecretoutputsList() ?? [],
      });
      return { id: `${name}-id`, state: { ...inputs, ...results } };
    },
    call: ({ inputs }) => inputs,
  });
  return {
    get all() {
      return all;
    },
    ofType: (end) => all.filter(({ type }) => type.endsWith(end)),
    clear: () => {
      all = [];
      requests.clear();
    },
  };
}

/** The value of an output, once it is known. */
export function known<Value>(output: pulumi.Output<Value>): Promise<Value> {
  return new Promise((resolve) => output.apply(resolve));
}
