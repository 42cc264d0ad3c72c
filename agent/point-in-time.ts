import { type BackupEntry, isGood } from "./entry.ts";

/** What can be restored of the stack's own timelines. */
export interface PointsInTime {
  /** End of the oldest good backup that log follows: any moment since then can be restored. */
  readonly from: string;
  /** Good backups from before, of which each can be restored as of its own end only; the oldest first. */
  readonly older: readonly BackupEntry[];
}

/** Since when any point in time can be restored; undefined when there is no good physical backup with its log. */
export function pointsInTime(entries: readonly BackupEntry[]): PointsInTime | undefined {
  const good = entries.filter(
    (entry) => entry.kind !== "logical" && entry.abandoned !== true && isGood(entry),
  );
  const oldest = good.find(({ ownEndOnly }) => ownEndOnly !== true);
  if (oldest === undefined) return undefined;
  return { from: oldest.finishedAt, older: good.filter(({ ownEndOnly }) => ownEndOnly === true) };
}

/** Since when any point in time can be restored, and how many older backups there are, in words. */
export function describePointsInTime(entries: readonly BackupEntry[]): string | undefined {
  const points = pointsInTime(entries);
  if (points === undefined) return undefined;
  const count = points.older.length;
  const older = `${count} older backup${count === 1 ? "" : "s"} as of ${count === 1 ? "its" : "their"} own end only`;
  return `any since ${points.from}${count === 0 ? "" : `; ${older}`}`;
}

/** More are for `pgstack backups` to list. */
const MOST_NAMED = 5;

/** The backups before the window, in words; empty where there is none. */
export function describeOlder(older: readonly BackupEntry[]): string {
  if (older.length === 0) return "";
  const named = older.slice(-MOST_NAMED).map(({ id, finishedAt }) => `${id} (${finishedAt})`);
  const more = older.length - named.length;
  const rest = more > 0 ? ` and ${more} more (pgstack backups)` : "";
  return `from before that, backups as of their own end: ${named.join(", ")}${rest}`;
}
