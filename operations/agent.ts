import { AGENT_MAIN } from "./agent-files.ts";
import { dockerEngine, findContainer } from "./docker.ts";
import { demultiplex } from "./execute/demultiplex.ts";
import { ContainerNotRunning, exitCodeOf, startExecution } from "./execute.ts";
import { heldReason } from "./held.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

/** How {@link callAgent} is followed. */
export interface AgentCall {
  /** Told about each step, with how much is done from 0 to 1 where that is known. */
  readonly onStep?: (text: string, fraction?: number) => void;
  /** Ends the operation: the agent cleans up and ends. */
  readonly signal?: AbortSignal;
  /** Call the agent's program in this container instead of the agent's own. */
  readonly container?: string;
}

/** Where a call finds the agent's program compiled by the one before: https://nodejs.org/api/module.html#module-compile-cache */
const COMPILED = { NODE_COMPILE_CACHE: "/tmp/compiled" };

/** The agent failed for a reason that is not the caller's. */
export class AgentError extends Error {
  override readonly name = "AgentError";
}

/** How psql, and pgBackRest, say that no server answers. */
const UNREACHABLE = /connection to server|unable to (?:find|connect)/;

type Event =
  | { readonly event: "step"; readonly text: string; readonly fraction?: number }
  | { readonly event: "result"; readonly value: unknown }
  | { readonly event: "error"; readonly kind: "user" | "internal"; readonly message: string };

/** Name of the agent's container beside a server's. */
export function agentContainer(serverContainer: string): string {
  return `${serverContainer}-agent`;
}

/**
 * Has the agent of a stack carry out one operation.
 *
 * @throws UserError where the caller can mend it, AgentError otherwise.
 */
export async function callAgent<Result>(
  target: Target,
  operation: string,
  parameters: Readonly<Record<string, unknown>> = {},
  call: AgentCall = {},
): Promise<Result> {
  const container = call.container ?? agentContainer(target.container);
  call.signal?.throwIfAborted();
  const { exec, stream } = await start(target, container, operation, parameters);
  // What ends the program in the container is the end of its input.
  const abort = () => void stream.end();
  call.signal?.addEventListener("abort", abort, { once: true });
  if (call.signal?.aborted) abort();
  const reader = new EventReader(call.onStep);
  const complaints: Buffer[] = [];
  try {
    await demultiplex(
      stream,
      (piece) => reader.take(piece),
      (piece) => complaints.push(piece),
    );
  } finally {
    call.signal?.removeEventListener("abort", abort);
    stream.destroy();
  }
  call.signal?.throwIfAborted();
  const last = reader.last;
  if (last?.event === "result") return last.value as Result;
  if (last?.event === "error") {
    const reason = UNREACHABLE.test(last.message) ? await heldReason(target) : undefined;
    if (reason !== undefined) throw new UserError(`the server is held: ${reason}`);
    throw last.kind === "user" ? new UserError(last.message) : new AgentError(last.message);
  }
  const how = await exitCodeOf({ ...target, container }, exec).then(
    (exitCode) => `exit code ${exitCode}`,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const said = reasonOf(Buffer.concat(complaints).toString("utf8"));
  throw new AgentError(`the agent ended without an answer to ${operation} (${how}): ${said}`);
}

/** The line that tells why a Node.js program ended: the error of a stack trace, else what was said last. */
function reasonOf(complaint: string): string {
  const lines = complaint.trim().split("\n");
  return lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines.at(-1) ?? "";
}

async function start(
  target: Target,
  container: string,
  operation: string,
  parameters: Readonly<Record<string, unknown>>,
) {
  try {
    return await startExecution(
      { ...target, container },
      {
        command: ["node", AGENT_MAIN, "run", operation, JSON.stringify(parameters)],
        environment: COMPILED,
      },
    );
  } catch (error) {
    if (!(error instanceof ContainerNotRunning)) throw error;
    const found = await findContainer(dockerEngine(target.dockerHost), container);
    throw new UserError(
      found === undefined
        ? `stack ${target.stack} has no agent: set pgstack:backup to true and run pulumi up`
        : `the agent of stack ${target.stack} does not run: pulumi up starts it`,
      { cause: error },
    );
  }
}

/** Reads the lines that the agent prints. */
class EventReader {
  last: Event | undefined;
  readonly #onStep: AgentCall["onStep"];
  #rest: Buffer = Buffer.alloc(0);

  constructor(onStep: AgentCall["onStep"]) {
    this.#onStep = onStep;
  }

  take(piece: Buffer): void {
    const lines = Buffer.concat([this.#rest, piece]);
    const end = lines.lastIndexOf(0x0a);
    this.#rest = lines.subarray(end + 1);
    if (end === -1) return;
    for (const line of lines.subarray(0, end).toString("utf8").split("\n")) {
      const event = parseEvent(line);
      if (event?.event === "step") this.#onStep?.(event.text, event.fraction);
      else if (event !== undefined) this.last = event;
    }
  }
}

function parseEvent(line: string): Event | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "event" in value ? (value as Event) : undefined;
  } catch {
    return undefined;
  }
}
