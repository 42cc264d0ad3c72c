import { lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { lockPath } from "../exclusive.ts";
import { isCode, messageOf, Refusal } from "../failure.ts";
import { requireOwnFolder } from "../identity.ts";
import { readJournal } from "../restore/swap.ts";
import { pushToArchive } from "./push.ts";

/** Folder beside the server's socket in which the agent confirms, a file each, what it has archived. */
export const CONFIRMED_FOLDER = "pgstack-archived";
/** In that folder while the agent is there to confirm anything. */
export const AT_WORK_FILE = "at-work";

const LOOK_MILLISECONDS = 200;
const AGAIN_MILLISECONDS = 2_000;
const READY = ".ready";
/** In the backup folder, which whoever restores has as well. */
const LOCK = ".archiving";
/** Longer than one file may take. */
const LOCK_SECONDS = 120;

/**
 * Archives what the server says is complete, until the agent stops. The server has neither the repositories nor their keys:
 * it waits for the confirmation of each file, and keeps the file until then.
 */
export async function archiveLog(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
  say: (text: string) => void,
): Promise<void> {
  const { signal } = context;
  const folder = confirmedFolder(configuration);
  let said = "";
  while (!signal.aborted) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(join(folder, AT_WORK_FILE), "", { mode: 0o600 });
      for (;;) {
        await archiveComplete(configuration, context);
        said = "";
        await delay(LOOK_MILLISECONDS, undefined, { signal });
      }
    } catch (error) {
      const message = messageOf(error);
      if (!signal.aborted && message !== said) say(`the write-ahead log is not archived: ${message}`);
      said = message;
    }
    await delay(AGAIN_MILLISECONDS, undefined, { signal }).catch(() => {});
  }
  await rm(join(folder, AT_WORK_FILE), { force: true });
}

/** Archives and confirms what is complete now, histories of timelines first and then the oldest; @throws at the first that fails. */
export async function archiveComplete(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  const folder = confirmedFolder(configuration);
  const complete = await completeFiles(configuration);
  for (const name of complete) {
    context.signal.throwIfAborted();
    if ((await confirmedMark(folder, name)) === (await markOf(configuration, name))) continue;
    if (!(await whileArchiving(configuration, () => archiveFile(configuration, name, context)))) return;
  }
  for (const name of await names(folder)) {
    if (name !== AT_WORK_FILE && !complete.includes(name)) await rm(join(folder, name), { force: true });
  }
}

/**
 * Keeps the archiver out while the stack's cluster changes places with another one, and until it is recorded which timelines
 * that leads along: a file of the one is never archived as one of the other.
 *
 * @throws Refusal when it does not come to an end with what it has begun.
 */
export async function withoutArchiver<Value>(
  { backupDirectory }: Pick<AgentConfiguration, "backupDirectory">,
  { signal }: Pick<Context, "signal">,
  work: () => Promise<Value>,
): Promise<Value> {
  const release = await lockPath(join(backupDirectory, LOCK), { waitSeconds: LOCK_SECONDS, signal });
  if (release === undefined)
    throw new Refusal(
      `a file of the write-ahead log has been on its way to the archive for ${LOCK_SECONDS} seconds`,
    );
  try {
    return await work();
  } finally {
    await release();
  }
}

/** @returns false when a restore has the clusters change places: what is there belongs to neither then. */
async function whileArchiving(
  configuration: AgentConfiguration,
  work: () => Promise<void>,
): Promise<boolean> {
  const release = await lockPath(join(configuration.backupDirectory, LOCK), {});
  if (release === undefined) return false;
  try {
    const phase = (await readJournal(configuration))?.phase;
    // It was cut off there: its end says which of the two is the stack's.
    if (phase === "swapping" || phase === "undoing") return false;
    await work();
    return true;
  } finally {
    await release();
  }
}

async function archiveFile(
  configuration: AgentConfiguration,
  name: string,
  context: Pick<Context, "signal">,
): Promise<void> {
  const mark = await markOf(configuration, name);
  if (mark === undefined) return;
  const path = join(configuration.dataDirectory, "pg_wal", name);
  // The folder is the server's: what it puts there is not followed out of it.
  if (!(await lstat(path)).isFile()) throw new Error(`${name} is no file`);
  await requireOwnFolder(configuration);
  await pushToArchive(configuration, path, context);
  await confirm(confirmedFolder(configuration), name, mark);
}

/** What the server says is complete and not archived, in the order in which it is archived. */
async function completeFiles({
  dataDirectory,
}: Pick<AgentConfiguration, "dataDirectory">): Promise<string[]> {
  return (await names(join(dataDirectory, "pg_wal", "archive_status")))
    .filter((name) => name.endsWith(READY))
    .map((name) => name.slice(0, -READY.length))
    .sort((one, other) => rank(one).localeCompare(rank(other)));
}

/** By its place and time the server's mark is told from one of the same name that another cluster had. */
async function markOf(
  { dataDirectory }: Pick<AgentConfiguration, "dataDirectory">,
  name: string,
): Promise<string | undefined> {
  try {
    const { ino, mtimeMs } = await stat(join(dataDirectory, "pg_wal", "archive_status", `${name}${READY}`));
    return `${ino} ${Math.floor(mtimeMs / 1_000)}`;
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function confirmedMark(folder: string, name: string): Promise<string | undefined> {
  const text = await readFile(join(folder, name), "utf8").catch(() => undefined);
  return text?.trimEnd();
}

async function confirm(folder: string, name: string, mark: string): Promise<void> {
  const path = join(folder, name);
  await writeFile(`${path}.new`, `${mark}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

function confirmedFolder({ socketDirectory }: Pick<AgentConfiguration, "socketDirectory">): string {
  return join(socketDirectory, CONFIRMED_FOLDER);
}

function rank(name: string): string {
  return `${name.endsWith(".history") ? 0 : 1}${name}`;
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    // A restore has the two clusters change places.
    if (isCode(error, "ENOENT")) return [];
    throw error;
  }
}
