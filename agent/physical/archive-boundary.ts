import { type BackupEntry, isGood } from "../entry.ts";

const DAY_MILLISECONDS = 86_400_000;

/** What of one repository's archive stays, in pgBackRest's terms. */
export interface ArchiveBoundary {
  /** So many of the newest backups keep the log that follows them (`retention-archive` of the type `incr`). */
  readonly count: number;
  /** The oldest of them, of each folder of the archive. Older ones keep what they need for their own consistency. */
  readonly backups: readonly BackupEntry[];
}

/** What decides about a boundary. */
export interface BoundaryOptions {
  /** Absent: all log stays from the oldest backup on. */
  readonly pitrDays?: number | undefined;
  readonly now: Date;
  /** Segments that are still to be copied out of the repository. */
  readonly segments?: readonly string[];
}

/**
 * From which backup on the archive of one repository stays whole. Kept are the window, what follows the newest full backup, and
 * what is to be copied yet. A boundary never goes back: what was let go is gone.
 *
 * pgBackRest keeps what sorts after the first segment of the oldest backup that counts, timelines included: the boundary is moved
 * back where that would lose the log of a newer one. Source: removeExpiredArchive() in pgBackRest's src/command/expire/expire.c
 *
 * @param entries The physical backups of the repository.
 * @returns undefined where nothing can be let go safely.
 */
export function archiveBoundary(
  entries: readonly BackupEntry[],
  { pitrDays, now, segments = [] }: BoundaryOptions,
): ArchiveBoundary | undefined {
  const newestFirst = entries.toSorted((one, other) => compareText(other.id, one.id));
  if (newestFirst.length === 0 || newestFirst.some(({ startWal, archiveId }) => !startWal || !archiveId))
    return undefined;
  const reaching = newestFirst.filter(({ ownEndOnly }) => ownEndOnly !== true);
  if (reaching.length === 0) return undefined;
  const bases = reaching.filter((entry) => entry.abandoned !== true && isGood(entry));
  const base = pitrDays === undefined ? undefined : windowBase(bases, pitrDays, now);
  const full = bases.find(({ kind }) => kind === "full");
  const bounds = base === undefined || full === undefined ? reaching : [base, full];
  let count = 1 + Math.max(...bounds.map((entry) => newestFirst.indexOf(entry)));
  for (; count <= newestFirst.length; count += 1) {
    const backups = oldestKept(newestFirst, count);
    if (isSafe(newestFirst, backups, segments)) return { count, backups };
  }
  return undefined;
}

/** The newest good backup that every moment of the window comes after. */
export function windowBase(
  good: readonly BackupEntry[],
  pitrDays: number,
  now: Date,
): BackupEntry | undefined {
  const begin = new Date(now.getTime() - pitrDays * DAY_MILLISECONDS).toISOString();
  const before = good.filter(({ finishedAt }) => finishedAt <= begin);
  return before.toSorted((one, other) => compareText(other.finishedAt, one.finishedAt))[0];
}

/** The oldest that counts of each folder of the archive; the newest of a folder where none of it does. */
function oldestKept(newestFirst: readonly BackupEntry[], count: number): BackupEntry[] {
  return [...Map.groupBy(newestFirst, ({ archiveId }) => archiveId).values()].flatMap((of) => {
    const kept = of.filter((entry) => newestFirst.indexOf(entry) < count);
    return (kept.length === 0 ? of.slice(0, 1) : kept).slice(-1);
  });
}

function isSafe(
  newestFirst: readonly BackupEntry[],
  boundaries: readonly BackupEntry[],
  segments: readonly string[],
): boolean {
  return boundaries.every((boundary) => {
    if (boundary.ownEndOnly === true) return false;
    const of = newestFirst.filter(({ archiveId }) => archiveId === boundary.archiveId);
    const newer = of.slice(0, of.indexOf(boundary)).map(({ startWal = "" }) => startWal);
    const copied = boundary.archiveId === newestFirst[0]?.archiveId ? segments : [];
    return [...newer, ...copied].every((segment) => segment >= (boundary.startWal ?? ""));
  });
}

/** Of each repository and each folder of its archive the backup from which on the log was kept, as the repository has it noted. */
export function recordedBoundaries(entries: readonly BackupEntry[]): ReadonlyMap<string, string> {
  const boundaries = new Map<string, string>();
  for (const entry of entries) {
    if (entry.logFrom === undefined) continue;
    const known = boundaries.get(archiveOf(entry));
    if (known === undefined || entry.id > known) boundaries.set(archiveOf(entry), entry.id);
  }
  return boundaries;
}

/** Says of a backup whether log follows it, by {@link recordedBoundaries}. */
export function withReach(entry: BackupEntry, boundaries: ReadonlyMap<string, string>): BackupEntry {
  const boundary = boundaries.get(archiveOf(entry));
  if (entry.kind === "logical" || boundary === undefined || entry.id >= boundary) return entry;
  return { ...entry, ownEndOnly: true };
}

function archiveOf({ repositories, archiveId }: BackupEntry): string {
  return `${repositories.join()} ${archiveId}`;
}

/** By their bytes, as pgBackRest sorts. */
function compareText(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
