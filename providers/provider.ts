import { isDeepStrictEqual } from "node:util";
import type * as pulumi from "@pulumi/pulumi";
import { escapeControlCharacters } from "../operations/control-characters.ts";
import { clearError } from "./clear-error.ts";
import { endWithEngine } from "./engine-watch.ts";
import { UNKNOWN } from "./unknown.ts";

/** The operations behind one kind of resource: plain functions on inputs, no knowledge of the engine. */
export interface Operations<Inputs extends object, Results extends object> {
  /** Makes the thing; returns its id and what is known only afterwards. */
  create(inputs: Inputs): Promise<{ id: string; results: Results }>;
  /** Brings the thing to new inputs. */
  update(inputs: Inputs, previous: Inputs & Results): Promise<Results>;
  /** Removes the thing; what goes with its server needs none. */
  remove?(state: Inputs & Results): Promise<void>;
  /** Differences between the live world and the inputs, a line each, without secrets. */
  drift?(inputs: Inputs, state: Inputs & Results): Promise<readonly string[]>;
  /** Whether the thing is still there; one that is gone leaves the state at a refresh and is made again. Default: it is. */
  exists?(state: Inputs & Results): Promise<boolean>;
  /** Refuses, by throwing, a change that must not be made; a preview tells it as well. */
  refuse?(inputs: Inputs, previous: Inputs & Results): Promise<void>;
  /** Refuses, by throwing, when the live world is such that nothing may go on. */
  guard?(state: Inputs & Results): Promise<void>;
  /** Inputs whose change means another thing rather than a changed one. */
  readonly replacedBy?: readonly (keyof Inputs & string)[];
}

/**
 * Turns operations into a dynamic provider. The state of a resource is its inputs and its results; whoever declares the
 * resource names the secret ones in `additionalSecretOutputs`.
 */
export function dynamicProvider<Inputs extends object, Results extends object>(
  operations: Operations<Inputs, Results>,
): pulumi.dynamic.ResourceProvider<Inputs, Inputs & Results> {
  type State = Inputs & Results;
  return {
    async create(inputs) {
      const { id, results } = await shown(operations.create(inputs));
      return { id, outs: { ...inputs, ...results } };
    },
    async update(_id, olds, news) {
      return { outs: { ...news, ...(await shown(operations.update(news, olds))) } };
    },
    async delete(_id, state) {
      await shown(operations.remove?.(state) ?? Promise.resolve());
    },
    async read(id, state) {
      await shown(operations.guard?.(state as State) ?? Promise.resolve());
      const exists = await shown(operations.exists?.(state as State) ?? Promise.resolve(true));
      // An empty id tells the engine that the resource is gone.
      if (!exists) return { id: "", props: {} as State };
      return { id: id ?? "", props: state as State };
    },
    async diff(_id, olds, news) {
      const changed = changedInputs(olds, news);
      if (changed.length > 0) await shown(operations.refuse?.(news, olds) ?? Promise.resolve());
      const replaces = changed.filter((key) => operations.replacedBy?.some((name) => name === key));
      if (changed.length > 0) return { changes: true, replaces };
      const drift = await shown(operations.drift?.(news, olds) ?? Promise.resolve([]));
      for (const line of drift) console.error(`drift: ${escapeControlCharacters(line)}`);
      return { changes: drift.length > 0 };
    },
  };
}

/** Names of the inputs that differ from the state; one that is not known yet counts as different. */
export function changedInputs(olds: object, news: object): string[] {
  const before = new Map<string, unknown>(Object.entries(olds));
  return Object.entries(news)
    .filter(([key]) => key !== "__provider")
    .filter(([key, value]) => hasUnknown(value) || !isDeepStrictEqual(before.get(key), value))
    .map(([key]) => key);
}

function hasUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnknown);
}

async function shown<Value>(work: Promise<Value>): Promise<Value> {
  endWithEngine();
  try {
    return await work;
  } catch (error) {
    throw clearError(error);
  }
}
