import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { withFileLock } from "../engine/file-lock.mjs";

/**
 * Makes a file or folder once; later calls, from any process, find it there.
 * It appears under its name only when it is whole.
 *
 * @param {string} place
 * @param {(unfinished: string, work: string) => Promise<void>} make fills `unfinished`; `work` is a folder for what it needs meanwhile
 * @returns {Promise<string>} the place
 */
export async function cached(place, make) {
  if (existsSync(place)) {
    return place;
  }
  return withFileLock(`${place}.lock`, async () => {
    if (existsSync(place)) {
      return place;
    }
    const folder = dirname(place);
    const prefix = `${basename(place)}.unfinished-`;
    await mkdir(folder, { recursive: true });
    // Left by a killed process: nobody else makes this one while the lock is held.
    const leftovers = (await readdir(folder)).filter((name) => name.startsWith(prefix));
    await Promise.all(leftovers.map((name) => rm(join(folder, name), { recursive: true, force: true })));
    const work = await mkdtemp(join(folder, prefix));
    try {
      const unfinished = join(work, "result");
      await make(unfinished, work);
      await rename(unfinished, place);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return place;
  });
}
