import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Replaces a file whole or not at all, also across a power cut: written beside it, on disk, then renamed. Its folder is made
 * where it is missing.
 *
 * @param {string} path
 * @param {string} text
 * @param {number} [mode] Permission bits. Default: 0o600.
 */
export async function writeWhole(path, text, mode = 0o600) {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}.new`;
  try {
    const file = await open(draft, "wx", mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(folder);
}

/**
 * Makes new names in a directory survive a power cut.
 *
 * @param {string} directory
 */
export async function syncDirectory(directory) {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
