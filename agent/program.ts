import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** How a program is run. */
export interface ProgramOptions {
  readonly signal?: AbortSignal;
  readonly environment?: Readonly<Record<string, string>>;
  /** Sent to its standard input. */
  readonly input?: string;
  readonly directory?: string;
  /** Told each line of its output as it comes; the output is then not returned. */
  readonly onLine?: (line: string) => void;
}

/** How a program ended. */
export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is kept of a program's complaints. */
const LONGEST_STDERR = 64 * 1024;
/** Between the request to end and the end by force. */
const GRACE_MILLISECONDS = 10_000;

/** Runs a program to its end; an exit code other than 0 is no error here. */
export async function run(
  program: string,
  programArguments: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  options.signal?.throwIfAborted();
  const child = spawn(program, programArguments, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C", ...options.environment },
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
  const release = endWith(child, options.signal);
  // A program that ends without reading its input is judged by its exit code.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  try {
    const [stdout, stderr, exitCode] = await Promise.all([
      options.onLine === undefined ? whole(child.stdout) : lines(child.stdout, options.onLine),
      tail(child.stderr),
      ended,
    ]);
    options.signal?.throwIfAborted();
    return { exitCode, stdout, stderr };
  } finally {
    release();
  }
}

/**
 * Runs a program and returns its output.
 *
 * @throws Error with its last words when it ends with another exit code than 0.
 */
export async function output(
  program: string,
  programArguments: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const { exitCode, stdout, stderr } = await run(program, programArguments, options);
  if (exitCode !== 0) throw new ProgramFailed(program, exitCode, stderr === "" ? stdout : stderr);
  return stdout;
}

/** A program ended with another exit code than 0. */
export class ProgramFailed extends Error {
  override readonly name = "ProgramFailed";
  readonly exitCode: number;
  readonly complaint: string;

  constructor(program: string, exitCode: number, complaint: string) {
    super(`${program} failed (exit code ${exitCode}): ${lastWords(complaint)}`);
    this.exitCode = exitCode;
    this.complaint = complaint;
  }
}

/** The first error that a program told, else its last line. */
export function lastWords(complaint: string): string {
  const found = complaint
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const error = found.find((line) => /\b(ERROR|error|FATAL|PANIC)\b/.test(line));
  return (error ?? found.at(-1) ?? "it said nothing").slice(0, 1_000);
}

/** Ends a program with the signal, by force if it has not ended after a while. */
export function endWith(child: ChildProcess, signal: AbortSignal | undefined): () => void {
  let force: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill("SIGTERM");
    force = setTimeout(() => child.kill("SIGKILL"), GRACE_MILLISECONDS);
  };
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) end();
  return () => {
    signal?.removeEventListener("abort", end);
    clearTimeout(force);
  };
}

async function whole(stream: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("utf8");
}

async function tail(stream: Readable): Promise<string> {
  let kept = Buffer.alloc(0);
  for await (const piece of stream) {
    kept = Buffer.concat([kept, piece as Buffer]);
    if (kept.length > LONGEST_STDERR) kept = kept.subarray(-LONGEST_STDERR);
  }
  return kept.toString("utf8");
}

async function lines(stream: Readable, onLine: (line: string) => void): Promise<string> {
  const reader = createInterface({ input: stream });
  reader.on("line", onLine);
  await once(reader, "close");
  return "";
}
