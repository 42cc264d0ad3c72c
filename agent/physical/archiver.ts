import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { lockPath } from "../exclusive.ts";
import { isCode, messageOf, Refusal } from "../failure.ts";
import { namesIn } from "../files.ts";
import { requireOwnFolder } from "../identity.ts";
import { withCopy } from "../plain-file.ts";
import { readJournal } from "../restore/swap.ts";
import { psql } from "../sql.ts";
import { pushToArchive } from "./push.ts";
import { SEGMENT_BYTES } from "./segments.ts";

/** Begins the name of the file beside the server's socket by which it is told that one of its own is archived. */
export const CONFIRMED_PREFIX = "pgstack-archived-";

const LOOK_MILLISECONDS = 200;
const AGAIN_MILLISECONDS = 2_000;
/** A confirmation that the server has not taken for so long has been lost. */
const CONFIRM_MILLISECONDS = 90_000;
const READY = ".ready";
/** What a server hands over: segments, what a timeline left of one, histories of timelines, notes on backups. */
const COMPLETE = /^([0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history)$/;
/** In the backup folder, which whoever restores has as well. */
const LOCK = ".archiving";
/** Longer than one file may take. */
const LOCK_SECONDS = 120;

/** Tells the server that a file is archived, by the mark that it made of it. */
export type Confirm = (name: string, mark: string) => Promise<void>;

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
  const archiver = new Archiver(configuration, (name, mark) =>
    confirmBySql(configuration, { name, mark }, context),
  );
  let said = "";
  while (!signal.aborted) {
    let pause = LOOK_MILLISECONDS;
    try {
      await archiver.look(context);
      said = "";
    } catch (error) {
      const message = messageOf(error);
      if (!signal.aborted && message !== said) say(`the write-ahead log is not archived: ${message}`);
      said = message;
      pause = AGAIN_MILLISECONDS;
    }
    await delay(pause, undefined, { signal }).catch(() => {});
  }
}

/** Knows what it has confirmed: the folders that the server writes to are read alone, by what they are themselves. */
export class Archiver {
  readonly #configuration: AgentConfiguration;
  readonly #confirm: Confirm;
  readonly #confirmed = new Map<string, { readonly mark: string; readonly at: number }>();

  constructor(configuration: AgentConfiguration, confirm: Confirm) {
    this.#configuration = configuration;
    this.#confirm = confirm;
  }

  /**
   * Archives and confirms what is complete now, histories of timelines first and then the oldest.
   *
   * @throws Error at the first that fails: what follows waits for it.
   */
  async look(context: Pick<Context, "signal">): Promise<void> {
    const complete = await completeFiles(this.#configuration);
    for (const name of complete) {
      context.signal.throwIfAborted();
      const before = this.#confirmed.get(name);
      const mark = await markOf(this.#configuration, name);
      const waits = performance.now() - (before?.at ?? 0) < CONFIRM_MILLISECONDS;
      if (mark === undefined || (mark === before?.mark && waits)) continue;
      if (!(await whileArchiving(this.#configuration, () => this.#archive(name, context)))) return;
    }
    for (const name of this.#confirmed.keys()) if (!complete.includes(name)) this.#confirmed.delete(name);
  }

  async #archive(name: string, context: Pick<Context, "signal">): Promise<void> {
    const mark = await markOf(this.#configuration, name);
    if (mark === undefined) return;
    const path = join(this.#configuration.dataDirectory, "pg_wal", name);
    await requireOwnFolder(this.#configuration);
    // What the server puts in its place is not followed out of the folder, also not between a look and the copy.
    await withCopy(path, SEGMENT_BYTES, (copy) => pushToArchive(this.#configuration, copy, context));
    // One that stops, or recovers still, is told after its start.
    await this.#confirm(name, mark);
    this.#confirmed.set(name, { mark, at: performance.now() });
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
  if (release === undefined) {
    throw new Refusal(
      `a file of the write-ahead log has been on its way to the archive for ${LOCK_SECONDS} seconds`,
    );
  }
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

/**
 * The server itself writes the file: whoever has taken it over can put a link in the place of a folder that it writes to, and
 * the agent, which has the backups, never writes or removes anything there.
 */
async function confirmBySql(
  configuration: AgentConfiguration,
  { name, mark }: { readonly name: string; readonly mark: string },
  context: Pick<Context, "signal">,
): Promise<void> {
  const path = join(configuration.socketDirectory, `${CONFIRMED_PREFIX}${name}`);
  await psql(configuration, `COPY (SELECT '${mark}') TO '${path}';`, context);
}

/** What the server says is complete and not archived, in the order in which it is archived. */
async function completeFiles({
  dataDirectory,
}: Pick<AgentConfiguration, "dataDirectory">): Promise<string[]> {
  // A restore has the two clusters change places: then there is none.
  return (await namesIn(join(dataDirectory, "pg_wal", "archive_status")))
    .filter((name) => name.endsWith(READY))
    .map((name) => name.slice(0, -READY.length))
    .filter((name) => COMPLETE.test(name))
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
    // The server has just taken the confirmation.
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function rank(name: string): string {
  return `${name.endsWith(".history") ? 0 : 1}${name}`;
}
