import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { dockerEngine, findContainer } from "./docker.ts";
import { ContainerNotRunning, ExecutionTimeout, executeInContainer } from "./execute.ts";
import { PRINT_HELD, PRINT_HELD_AT } from "./held.ts";
import { lastWords } from "./readiness/last-words.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

/** How {@link waitUntilReady} waits. */
export interface ReadinessOptions {
  /** Seconds until it gives up. */
  readonly timeoutSeconds: number;
  /** Ends the wait early; it then fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told in a few words each time that what is waited for changes. */
  readonly onProgress?: (message: string) => void;
  /** Role to ask for, which keeps a line about a refused sign-in out of the server's log. */
  readonly role?: string;
}

/** The server won't be ready, or not in time. The message is one line; the log's end comes with it. */
export class ServerNotReady extends UserError {
  /** The last lines of the container's and the server's logs. */
  readonly logLines: readonly string[];

  constructor(message: string, logLines: readonly string[]) {
    super(message);
    this.logLines = logLines;
  }
}

/** Restarts that are seen while waiting until it is called a loop: one may be an operator's or the engine's. */
const MOST_RESTARTS = 2;
/** A server that is killed while it works has run for longer than one that cannot start. */
const SHORT_TRY_MILLISECONDS = 2_000;
const POLL_MILLISECONDS = 25;
/**
 * Over TCP: while a new cluster is made, the socket answers for a server that is taken down again. Asking within one
 * execution makes each try 20 times cheaper than one execution for each. A reason for being held counts when it was written
 * since: room may just have been made.
 */
const SCRIPT = `asked=$(date +%s)
until pg_isready --quiet --host=127.0.0.1 --port="$1" --timeout=3 \${2:+--username="$2"}; do
  if [ "$(${PRINT_HELD_AT})" -gt "$asked" ]; then
    reason=$(${PRINT_HELD}) && echo "held: $reason" && exit 1
  fi
  sleep 0.05
done`;
const HELD = /^held: (.+)$/;

/**
 * Returns when the server accepts connections over TCP inside its container.
 *
 * @throws ServerNotReady at once when the container has ended, restarts in a loop or holds the server back, else when the
 * time is over.
 */
export async function waitUntilReady(target: Target, options: ReadinessOptions): Promise<void> {
  const docker = dockerEngine(target.dockerHost);
  const deadline = performance.now() + options.timeoutSeconds * 1000;
  const progress = changesOnly(options.onProgress);
  let firstCount: number | undefined;
  let overdue = false;
  while (!overdue) {
    options.signal?.throwIfAborted();
    const container = await findContainer(docker, target.container);
    if (container === undefined) throw new ServerNotReady(`container ${target.container} does not exist`, []);
    firstCount ??= container.RestartCount;
    await refuseHopeless(target, container, container.RestartCount - firstCount);
    if (container.State.Running && !container.State.Restarting) {
      progress("waiting for PostgreSQL to accept connections");
      if (await becomesReady(target, options, deadline - performance.now())) return;
    } else {
      progress(`waiting for the container, which is ${container.State.Status}`);
    }
    overdue = performance.now() >= deadline;
    if (!overdue)
      await delay(
        POLL_MILLISECONDS,
        undefined,
        options.signal === undefined ? {} : { signal: options.signal },
      );
  }
  const within = `within ${options.timeoutSeconds} seconds`;
  throw await notReady(
    target,
    `PostgreSQL in container ${target.container} did not accept connections ${within}`,
  );
}

async function refuseHopeless(
  target: Target,
  container: Docker.ContainerInspectInfo,
  restarts: number,
): Promise<void> {
  const { Status, ExitCode, OOMKilled, Paused, Error: failure } = container.State;
  const name = `container ${target.container}`;
  const how = `exit code ${ExitCode}${OOMKilled ? ", out of memory" : ""}${failure ? `, ${failure}` : ""}`;
  const times = Math.max(restarts, isLooping(container) ? container.RestartCount : 0);
  if (times > MOST_RESTARTS) {
    throw await notReady(target, `PostgreSQL in ${name} restarts in a loop (${times} times, ${how})`);
  }
  if (Status === "exited" || Status === "dead") {
    throw await notReady(target, `PostgreSQL in ${name} has ended (${how})`);
  }
  if (Paused) throw await notReady(target, `${name} is paused`);
}

/** Waits to be started again after a try that failed at once: Docker's pauses grow, so the next one may be a minute away. */
function isLooping({ State }: Docker.ContainerInspectInfo): boolean {
  const lasted = Date.parse(State.FinishedAt) - Date.parse(State.StartedAt);
  return State.Restarting && lasted >= 0 && lasted < SHORT_TRY_MILLISECONDS;
}

/** False when the container ended meanwhile or the time is over. */
async function becomesReady(
  target: Target,
  options: ReadinessOptions,
  milliseconds: number,
): Promise<boolean> {
  if (milliseconds <= 0) return false;
  try {
    const { exitCode, stdout } = await executeInContainer(target, {
      command: ["sh", "-c", SCRIPT, "readiness", String(target.port), options.role ?? ""],
      timeoutMilliseconds: milliseconds,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const reason = HELD.exec(stdout.trim())?.[1];
    if (reason !== undefined) {
      const { lines } = await lastWords(target);
      throw new ServerNotReady(`PostgreSQL in container ${target.container} is held: ${reason}`, lines);
    }
    return exitCode === 0;
  } catch (error) {
    if (error instanceof ContainerNotRunning || error instanceof ExecutionTimeout) return false;
    throw error;
  }
}

async function notReady(target: Target, message: string): Promise<ServerNotReady> {
  const { telling, lines } = await lastWords(target);
  return new ServerNotReady(telling.length === 0 ? message : `${message}: ${telling.join(" | ")}`, lines);
}

function changesOnly(report: ((message: string) => void) | undefined): (message: string) => void {
  let last = "";
  return (message) => {
    if (message !== last) report?.(message);
    last = message;
  };
}
