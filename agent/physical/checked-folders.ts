import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { AgentConfiguration } from "../configuration.ts";
import { writeWhole } from "../files.ts";

/** What is remembered of one repository's archive. */
interface Remembered {
  /** Folder of the archive, such as `16-1`: another cluster has another one. */
  readonly id: string;
  /** Folders that were seen to be whole, and backups whose own log was, and when; ISO 8601. */
  readonly folders: Readonly<Record<string, string>>;
}

/** After this long a folder is looked at again, one at a time. */
const AGAIN_MILLISECONDS = 24 * 3_600_000;

/**
 * The folders of an archive that were seen to be whole, so that a look for gaps costs the same after a year as after a day. One
 * after the other they are looked at again: a disk may lose what it had.
 */
export class CheckedFolders {
  /** Those that need no look this time. */
  readonly known: { readonly id: string; readonly folders: ReadonlySet<string> };
  readonly #path: string;
  readonly #before: Remembered;

  private constructor(path: string, before: Remembered, now: Date) {
    this.#path = path;
    this.#before = before;
    const [first, ...others] = Object.entries(before.folders).sort(([, one], [, other]) =>
      one.localeCompare(other),
    );
    const known = first === undefined || isDue(first[1], now) ? others : [first, ...others];
    this.known = { id: before.id, folders: new Set(known.map(([folder]) => folder)) };
  }

  static async read(
    { backupDirectory }: Pick<AgentConfiguration, "backupDirectory">,
    repository: string,
    now = new Date(),
  ): Promise<CheckedFolders> {
    const path = join(backupDirectory, "state", `archive-${repository}.json`);
    const before = await readFile(path, "utf8")
      .then((text) => JSON.parse(text) as Remembered)
      // It is made anew by looking at all of them.
      .catch(() => ({ id: "", folders: {} }));
    return new CheckedFolders(path, before, now);
  }

  /** Remembers what is whole now. */
  async remember(id: string | undefined, whole: readonly string[], now = new Date()): Promise<void> {
    if (id === undefined || (whole.length === 0 && this.#before.id === "")) return;
    const at = now.toISOString();
    const before = this.#before.id === id ? this.#before.folders : {};
    const seenAt = (folder: string) => (this.known.folders.has(folder) ? (before[folder] ?? at) : at);
    const after = { id, folders: Object.fromEntries(whole.map((folder) => [folder, seenAt(folder)])) };
    if (isDeepStrictEqual(after, this.#before)) return;
    // A backup folder that is read only, as that of another stack, is looked at whole each time.
    await writeWhole(this.#path, `${JSON.stringify(after)}\n`).catch(() => {});
  }
}

function isDue(at: string, now: Date): boolean {
  return now.getTime() - Date.parse(at) > AGAIN_MILLISECONDS;
}
