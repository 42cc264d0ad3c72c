import type { Client } from "pg";
import { UserError } from "../user-error.ts";
import type { MigrationFile } from "./files.ts";
import { type Direction, forgetBegun, readBegun, recordBegun, recordOutside } from "./history.ts";
import { wrongIndex } from "./index-checks.ts";
import {
  type Before,
  finalize,
  isDetachPending,
  isDone,
  type Leftover,
  leftovers,
  lookBefore,
} from "./leftovers.ts";
import { isConcurrent, type Outside } from "./outside.ts";

/** A migration of a single statement that PostgreSQL takes outside of a transaction only. */
export interface OutsideRun {
  readonly file: MigrationFile;
  readonly direction: Direction;
  readonly outside: Outside;
  readonly sql: string;
  /** Grants on what the statement has made; in the transaction of the record. */
  readonly after: string;
  /** How long a statement that keeps nobody waiting may wait for others. */
  readonly patienceSeconds: number;
  readonly onStep: (text: string) => void;
}

/** How long the removal of what is left may wait: whatever kept the statement from its work is mostly still there. */
const REMOVAL_SECONDS = 10;

/**
 * Runs a statement that no transaction can undo, and records it when its work is there and sound. What it leaves when it
 * fails is removed, or named; what an interrupted run has left is completed or removed first.
 *
 * @throws The server's error, of which {@link aftermathOf} tells what is left; UserError where the work can't be begun.
 */
export async function runOutside(client: Client, run: OutsideRun): Promise<void> {
  const { file, outside, direction } = run;
  let before = await readBegun(client, file);
  if (before !== undefined) {
    run.onStep("completing what an interrupted run has begun");
    if (await isDone(client, outside, before)) {
      await recordOutside(client, file, direction, run.after);
      return;
    }
    await removeLeftovers(client, run, before);
  }
  await requireBeginnable(client, outside);
  if (before === undefined) {
    before = await lookBefore(client, outside);
    await recordBegun(client, file, before);
  }
  try {
    await client.query(`SET lock_timeout = '${isConcurrent(outside) ? `${run.patienceSeconds}s` : "2s"}'`);
    await client.query(await statementOf(client, run));
  } catch (error) {
    aftermaths.set(error as object, await putInOrder(client, run, before));
    throw error;
  }
  await requireBeginnable(client, outside);
  await recordOutside(client, file, direction, run.after);
}

/** In what state a failed statement has left the database. */
export interface Aftermath {
  /** Nothing is left that a further try or run would have to deal with. */
  readonly clean: boolean;
  readonly words: string;
}

/** The aftermath of an error of {@link runOutside}; undefined: its statement was not begun. */
export function aftermathOf(error: unknown): Aftermath | undefined {
  return aftermaths.get(error as object);
}
const aftermaths = new WeakMap<object, Aftermath>();

/** DETACH PARTITION CONCURRENTLY refuses to be begun twice; its second half has a statement of its own. */
async function statementOf(client: Client, { outside, sql }: OutsideRun): Promise<string> {
  if (outside.makes !== "detached partition") return sql;
  return (await isDetachPending(client, outside)) ? finalize(outside) : sql;
}

/** IF NOT EXISTS is content with an index that nothing uses: applied means there and valid. */
async function requireBeginnable(client: Client, outside: Outside): Promise<void> {
  if (outside.makes !== "index" || outside.index === undefined) return;
  const wrong = await wrongIndex(client, outside.index, outside.table);
  if (wrong === undefined) return;
  const { name, reason } = wrong;
  switch (reason) {
    case "in progress":
      throw new UserError(`index ${name} is being made by another session: wait until it has ended`);
    case "another table":
      throw new UserError(`index ${name} is there already, on another table: take another name`);
    case "invalid":
      throw new UserError(
        `index ${name} is there and invalid, as a CREATE INDEX CONCURRENTLY that failed leaves it: run DROP INDEX CONCURRENTLY ${name}, then this again`,
      );
  }
}

/** After a failure: removes what is left, and says what could not be. */
async function putInOrder(client: Client, run: OutsideRun, before: Before): Promise<Aftermath> {
  const { outside, file } = run;
  try {
    const remaining = await removeLeftovers(client, run, before);
    if (remaining.length > 0) {
      const list = remaining
        .map(({ what, statement }) => `${what} (${statement} puts it in order)`)
        .join(" and ");
      const words = `left behind: ${list}; the next run of this migration does so by itself`;
      return { clean: false, words };
    }
    await forgetBegun(client, file);
    return {
      clean: true,
      words:
        outside.makes === "parts"
          ? `${outside.words} ran without a transaction: what it had done until then stands`
          : "nothing of it is left behind",
    };
  } catch {
    const words =
      "the session was lost, so what it has left is not known: the next run completes or removes it";
    return { clean: false, words };
  }
}

/** @returns What could not be removed. */
async function removeLeftovers(client: Client, run: OutsideRun, before: Before): Promise<Leftover[]> {
  const limit = Math.min(REMOVAL_SECONDS, run.patienceSeconds);
  await client.query(`SET lock_timeout = '${limit}s'`);
  for (const { what, statement, removable } of await leftovers(client, run.outside, before)) {
    if (!removable) continue;
    run.onStep(`removing ${what}`);
    // What could not be removed is found again below, and named.
    await client.query(statement).catch(() => {});
  }
  return leftovers(client, run.outside, before);
}
