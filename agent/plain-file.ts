import { constants } from "node:fs";
import { type FileHandle, mkdtemp, open, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isCode } from "./failure.ts";

/**
 * Reads what the server or the sandbox could have put there: a plain file at just this path and no larger than expected. A link
 * would lead to what only the agent may read, and a pipe would keep it for ever.
 *
 * @throws Error for anything else.
 */
export async function readPlain(path: string, mostBytes: number): Promise<Buffer> {
  const file = await openPlain(path);
  try {
    const buffer = Buffer.alloc(mostBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
      if (length > mostBytes) throw new Error(`${basename(path)} has more than ${mostBytes} bytes`);
    }
  } finally {
    await file.close();
  }
}

/** Runs work with a copy under the same name, in memory, of what {@link readPlain} reads: what is there then changes no more. */
export async function withCopy<Value>(
  path: string,
  mostBytes: number,
  work: (copy: string) => Promise<Value>,
): Promise<Value> {
  const content = await readPlain(path, mostBytes);
  const folder = await mkdtemp(join(tmpdir(), "copy-"));
  try {
    const copy = join(folder, basename(path));
    await writeFile(copy, content, { mode: 0o600 });
    return await work(copy);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function openPlain(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const noFile = new Error(`${basename(path)} is no file`);
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    throw isCode(error, "ELOOP") || isCode(error, "ENXIO") ? noFile : error;
  });
  try {
    if (!(await file.stat()).isFile()) throw noFile;
    // A folder on the way may be a link.
    if ((await readlink(`/proc/self/fd/${file.fd}`)) !== path) throw noFile;
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
