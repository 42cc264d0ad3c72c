import { createHash, randomUUID } from "node:crypto";
import { constants, createReadStream, existsSync } from "node:fs";
import { link, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { isCode } from "./failure.ts";

/** Writes a file so that readers find the old content or the new, also after a power cut. */
export async function writeWhole(path: string, content: string, mode = 0o600): Promise<void> {
  const draft = `${path}.new`;
  await writeDraft(draft, content, mode);
  await rename(draft, path);
  await syncPath(dirname(path));
}

/** Writes a file as {@link writeWhole}, unless there is one: of several that write it at once, one does. */
export async function writeNew(path: string, content: string, mode = 0o600): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeDraft(draft, content, mode);
    await link(draft, path).catch(async (error: unknown) => {
      // Not every file system has links, as one of Windows has none.
      if (!isCode(error, "EEXIST") && !existsSync(path)) await rename(draft, path);
    });
    await syncPath(dirname(path));
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeDraft(draft: string, content: string, mode: number): Promise<void> {
  await mkdir(dirname(draft), { recursive: true, mode: 0o700 });
  // A link in its place is followed to nothing: the data volume is also the server's.
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
  const file = await open(draft, O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY, mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes what was written to a file, or the names in a folder, outlive a power cut. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes everything in a folder outlive a power cut. */
export async function syncTree(folder: string): Promise<void> {
  for (const path of await filesBelow(folder)) await syncPath(join(folder, path));
  await syncPath(folder);
}

/** SHA-256 of a file, hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** Names in a folder; none where it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  }
}

/** Paths of all files below a folder, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Bytes of all files below a folder. */
export async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const path of await filesBelow(folder)) bytes += (await stat(join(folder, path))).size;
  return bytes;
}

/** Bytes that may still be written to where a folder is. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
