import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { dockerEngine, isNotFound, statusCode } from "./docker.ts";
import { demultiplex } from "./execute/demultiplex.ts";
import type { Target } from "./target.ts";

/** What to run in a container, and how. */
export interface Execution {
  /** Program and arguments; no shell comes between. Never a secret: arguments are seen in process lists. */
  readonly command: readonly string[];
  /** Sent to the program's standard input, which then ends. The way in for secrets. */
  readonly input?: string | Buffer;
  /** User inside the container. Default: the container's own. */
  readonly user?: string;
  /** Environment beside the container's own. Never a secret: the engine shows it. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Ended after this long, inside the container as well. Default: 60,000. 0: never. */
  readonly timeoutMilliseconds?: number;
  /** Ends the wait early; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How a program in a container ended. */
export interface ExecutionResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const DEFAULT_TIMEOUT_MILLISECONDS = 60_000;
/** How much longer than the program itself the connection to the engine may take. */
const TRANSPORT_ALLOWANCE_MILLISECONDS = 5_000;
/** How much later than a program's output its exit code may be known. */
const LONGEST_END_MILLISECONDS = 5_000;
const END_POLL_MILLISECONDS = 10;

/** A program did not end in its time. */
export class ExecutionTimeout extends Error {
  override readonly name = "ExecutionTimeout";
}

/** The container is missing, stopped, paused or restarting, so nothing can be run in it. */
export class ContainerNotRunning extends Error {
  override readonly name = "ContainerNotRunning";
}

/**
 * Runs a program in the target's container and returns how it ended; an exit code other than 0 is no error here.
 *
 * @throws ContainerNotRunning, or ExecutionTimeout with the budget.
 */
export async function executeInContainer(target: Target, execution: Execution): Promise<ExecutionResult> {
  const timeout = execution.timeoutMilliseconds ?? DEFAULT_TIMEOUT_MILLISECONDS;
  execution.signal?.throwIfAborted();
  const { exec, stream } = await startExecution(target, withinTime(execution, timeout));
  const output = collect(stream, execution.signal);
  // The program may end without reading its input; how it ended then tells more than the broken pipe.
  stream.end(execution.input ?? "");
  const limit = timeout === 0 ? 0 : timeout + TRANSPORT_ALLOWANCE_MILLISECONDS;
  const timer =
    limit === 0 ? undefined : setTimeout(() => stream.destroy(overdue(target, execution, timeout)), limit);
  const started = performance.now();
  try {
    const { stdout, stderr } = await output;
    const exitCode = await exitCodeOf(target, exec);
    if (timeout > 0 && isTimeoutCode(exitCode) && performance.now() - started >= timeout) {
      throw overdue(target, execution, timeout);
    }
    return { exitCode, stdout, stderr };
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

/** Starts a program in the target's container and returns its multiplexed stream. */
export async function startExecution(
  target: Target,
  execution: Execution,
): Promise<{ exec: Docker.Exec; stream: Duplex }> {
  const container = dockerEngine(target.dockerHost).getContainer(target.container);
  try {
    const exec = await container.exec({
      Cmd: [...execution.command],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      ...(execution.user === undefined ? {} : { User: execution.user }),
      ...(execution.environment === undefined
        ? {}
        : { Env: Object.entries(execution.environment).map(([name, value]) => `${name}=${value}`) }),
    });
    return { exec, stream: await exec.start({ hijack: true, stdin: true }) };
  } catch (error) {
    if (isNotFound(error)) throw new ContainerNotRunning(`container ${target.container} does not exist`);
    if (statusCode(error) === 409 || /not running/.test(String(error))) {
      throw new ContainerNotRunning(`container ${target.container} is not running`);
    }
    throw error;
  }
}

/**
 * How a program that was started by {@link startExecution} ended; for after its output has ended.
 *
 * @throws ContainerNotRunning when it went with its container: the engine then forgets it, or never learns how it ended.
 */
export async function exitCodeOf({ container }: Target, exec: Docker.Exec): Promise<number> {
  const deadline = performance.now() + LONGEST_END_MILLISECONDS;
  do {
    const { ExitCode } = await exec.inspect().catch((error: unknown) => {
      if (isNotFound(error)) throw stopped(container);
      throw error;
    });
    if (ExitCode !== null) return ExitCode;
    await delay(END_POLL_MILLISECONDS);
  } while (performance.now() < deadline);
  throw stopped(container);
}

function stopped(container: string): ContainerNotRunning {
  return new ContainerNotRunning(`container ${container} was stopped while a program ran in it`);
}

async function collect(stream: Duplex, signal?: AbortSignal): Promise<{ stdout: string; stderr: string }> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const aborted = () =>
    stream.destroy(signal?.reason instanceof Error ? signal.reason : new Error("interrupted"));
  signal?.addEventListener("abort", aborted, { once: true });
  if (signal?.aborted) aborted();
  try {
    await demultiplex(
      stream,
      (chunk) => stdout.push(chunk),
      (chunk) => stderr.push(chunk),
    );
  } finally {
    signal?.removeEventListener("abort", aborted);
  }
  return { stdout: Buffer.concat(stdout).toString("utf8"), stderr: Buffer.concat(stderr).toString("utf8") };
}

// The engine can't end a program that it started by exec, so the program is started under `timeout`.
function withinTime(execution: Execution, timeout: number): Execution {
  if (timeout === 0) return execution;
  return { ...execution, command: ["timeout", String(Math.ceil(timeout / 1000)), ...execution.command] };
}

/** 124: coreutils; 143: BusyBox, which passes on the signal's own code. */
function isTimeoutCode(exitCode: number): boolean {
  return exitCode === 124 || exitCode === 143;
}

function overdue(target: Target, execution: Execution, timeout: number): ExecutionTimeout {
  const seconds = timeout / 1000;
  return new ExecutionTimeout(
    `${execution.command[0]} in container ${target.container} did not end within ${seconds} seconds`,
  );
}
