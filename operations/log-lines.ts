import { type FileHandle, open } from "node:fs/promises";

const CHUNK_BYTES = 16_384;
const NEWLINE = 0x0a;

/** The end of a log file. */
export interface Tail {
  /** Last line that has its line end, without it; undefined when there is none. */
  readonly lastLine: Buffer | undefined;
  /** Bytes after the last line end: what a crash left of a line, or empty. */
  readonly rest: Buffer;
  /** Bytes of the file before {@link rest}. */
  readonly wholeBytes: number;
}

/** Reads only as much of a file's end as its last line needs. */
export async function readTail(path: string): Promise<Tail> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    let start = size;
    let end: Buffer = Buffer.alloc(0);
    while (true) {
      const lineEnd = end.lastIndexOf(NEWLINE);
      const before = lineEnd <= 0 ? -1 : end.lastIndexOf(NEWLINE, lineEnd - 1);
      if (start === 0 || (lineEnd >= 0 && before >= 0)) {
        return {
          lastLine: lineEnd < 0 ? undefined : end.subarray(before + 1, lineEnd),
          rest: end.subarray(lineEnd + 1),
          wholeBytes: start + lineEnd + 1,
        };
      }
      const from = Math.max(0, start - CHUNK_BYTES);
      end = Buffer.concat([await readRange(file, from, start), end]);
      start = from;
    }
  } finally {
    await file.close();
  }
}

/** One line of a file. */
export interface NumberedLine {
  /** Counts from 1. */
  readonly number: number;
  readonly bytes: Buffer;
  /** False for a last line without line end. */
  readonly ended: boolean;
}

/** All lines of a file, split at `\n` alone. */
export async function* linesOf(path: string): AsyncGenerator<NumberedLine> {
  const file = await open(path, "r");
  let rest: Buffer[] = [];
  let number = 0;
  try {
    for await (const chunk of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        number += 1;
        yield { number, bytes: Buffer.concat([...rest, chunk.subarray(from, at)]), ended: true };
        rest = [];
        from = at + 1;
      }
      if (from < chunk.length) rest.push(chunk.subarray(from));
    }
  } finally {
    await file.close();
  }
  if (rest.length > 0) yield { number: number + 1, bytes: Buffer.concat(rest), ended: false };
}

/** The text of a line; undefined when the bytes are not UTF-8. */
export function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

async function readRange(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.alloc(to - from);
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
