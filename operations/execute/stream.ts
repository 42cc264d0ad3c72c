import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Execution, exitCodeOf, startExecution } from "../execute.ts";
import type { Target } from "../target.ts";
import { demultiplex } from "./demultiplex.ts";

/** What a program is fed from, and where its output goes; neither is held in memory. */
export interface Streams {
  readonly input?: Readable;
  readonly onOutput: (piece: Buffer) => void;
  /** Where its complaints go beside. Default: nowhere. */
  readonly onError?: (piece: Buffer) => void;
}

/**
 * Runs a program in the target's container with its input and output streamed, however long it takes.
 *
 * @returns How it ended, with the end of its complaints.
 */
export async function streamInContainer(
  target: Target,
  execution: Omit<Execution, "input" | "timeoutMilliseconds">,
  { input, onOutput, onError }: Streams,
): Promise<{ readonly exitCode: number; readonly stderr: string }> {
  const { exec, stream } = await startExecution(target, execution);
  const { signal } = execution;
  const abort = () =>
    stream.destroy(signal?.reason instanceof Error ? signal.reason : new Error("interrupted"));
  signal?.addEventListener("abort", abort, { once: true });
  let stderr = "";
  try {
    const ended = demultiplex(stream, onOutput, (piece) => {
      stderr = (stderr + String(piece)).slice(-LONGEST_COMPLAINT);
      onError?.(piece);
    });
    // A program that ends before its input does is judged by its exit code.
    if (input === undefined) stream.end();
    else void pipeline(input, stream).catch(() => {});
    await ended;
  } finally {
    signal?.removeEventListener("abort", abort);
    stream.destroy();
  }
  return { exitCode: await exitCodeOf(target, exec), stderr };
}

const LONGEST_COMPLAINT = 64 * 1024;
