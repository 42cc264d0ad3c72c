import type { Retention } from "./configuration.ts";
import { type BackupEntry, entryKey, isGood } from "./entry.ts";
import { windowBase } from "./physical/archive-boundary.ts";

const DAY_MILLISECONDS = 86_400_000;

/** What becomes of one backup, and why. */
export interface Fate {
  readonly entry: BackupEntry;
  readonly kept: boolean;
  readonly reason: string;
}

/**
 * Which backups stay: of each kind of backup (logical; physical, by repository) the newest good one of each of the last
 * days, weeks and months that have one; the last good one always; everything of the last 24 hours, and what has a label
 * for as many days as days are kept; of physical ones the one that the window of points in time begins with; what a kept one
 * rests on; and what is not of the past, since the clock was moved then.
 *
 * Days, weeks and months are counted by the backups that there are, not by the clock: a stack that was off for a month
 * keeps as many as one that was not.
 */
export function planRetention(entries: readonly BackupEntry[], retention: Retention, now: Date): Fate[] {
  const reasons = new Map<string, string>();
  const keep = (entry: BackupEntry, reason: string) => {
    if (!reasons.has(entryKey(entry))) reasons.set(entryKey(entry), reason);
  };
  for (const group of groups(entries)) {
    const newestFirst = group.toSorted((one, other) => other.finishedAt.localeCompare(one.finishedAt));
    // What a wrong clock dated ahead stands for no other.
    const good = newestFirst.filter(
      (entry) => isGood(entry) && Date.parse(entry.finishedAt) <= now.getTime(),
    );
    const [last] = good;
    if (last !== undefined) keep(last, "the last good one");
    for (const entry of newestFirst) {
      const age = now.getTime() - Date.parse(entry.finishedAt);
      if (age < 0) keep(entry, "of the future");
      else if (age < DAY_MILLISECONDS) keep(entry, "of the last 24 hours");
      else if (entry.label !== undefined && age < retention.days * DAY_MILLISECONDS)
        keep(entry, "it has a label");
    }
    // With none that is good, a bad one is better than nothing.
    if (last === undefined) for (const entry of newestFirst) keep(entry, "no good one is there");
    for (const entry of newestOfEach(good, retention.days, dayOf))
      keep(entry, `the newest of ${dayOf(entry)}`);
    for (const entry of newestOfEach(good, retention.weeks, weekOf)) {
      keep(entry, `the newest of the week of ${weekOf(entry)}`);
    }
    for (const entry of newestOfEach(good, retention.months, monthOf)) {
      keep(entry, `the newest of ${monthOf(entry)}`);
    }
    const base = retention.pitrDays === undefined ? undefined : baseOf(good, retention.pitrDays, now);
    if (base !== undefined) keep(base, "points in time are restored from it");
    // A bad one that is newer than the last good one may be looked into.
    for (const entry of newestFirst) {
      if (last !== undefined && !isGood(entry) && entry.finishedAt > last.finishedAt)
        keep(entry, "not good, but newer");
    }
  }
  keepWhatOthersNeed(entries, reasons);
  return entries.map((entry) => {
    const reason = reasons.get(entryKey(entry));
    return {
      entry,
      kept: reason !== undefined,
      reason: reason ?? "a newer one stands for its day, week and month",
    };
  });
}

/** What any point in time of the window can be restored from. */
function baseOf(good: readonly BackupEntry[], pitrDays: number, now: Date): BackupEntry | undefined {
  const bases = good.filter(
    ({ kind, abandoned, ownEndOnly }) => kind !== "logical" && abandoned !== true && ownEndOnly !== true,
  );
  return windowBase(bases, pitrDays, now);
}

function keepWhatOthersNeed(entries: readonly BackupEntry[], reasons: Map<string, string>): void {
  for (const entry of entries.filter((one) => reasons.has(entryKey(one)))) {
    for (let needed = priorOf(entry, entries); needed !== undefined; needed = priorOf(needed, entries)) {
      if (!reasons.has(entryKey(needed))) reasons.set(entryKey(needed), `${entry.id} rests on it`);
    }
  }
}

/** What a backup rests on; undefined where it rests on none that is there. */
export function priorOf(entry: BackupEntry, entries: readonly BackupEntry[]): BackupEntry | undefined {
  if (entry.prior === undefined) return undefined;
  return entries.find((one) => one.id === entry.prior && one.repositories[0] === entry.repositories[0]);
}

function groups(entries: readonly BackupEntry[]): BackupEntry[][] {
  const found = Map.groupBy(entries, ({ kind, repositories }) =>
    kind === "logical" ? "logical" : `physical ${repositories.join()}`,
  );
  return [...found.values()];
}

/** The first of each period, of as many periods as are wanted. */
function newestOfEach(
  newestFirst: readonly BackupEntry[],
  periods: number,
  periodOf: (entry: BackupEntry) => string,
): BackupEntry[] {
  const found = new Map<string, BackupEntry>();
  for (const entry of newestFirst) {
    const period = periodOf(entry);
    if (!found.has(period) && found.size < periods) found.set(period, entry);
  }
  return [...found.values()];
}

function dayOf({ finishedAt }: BackupEntry): string {
  return finishedAt.slice(0, 10);
}

function monthOf({ finishedAt }: BackupEntry): string {
  return finishedAt.slice(0, 7);
}

/** The Monday of the week. */
function weekOf({ finishedAt }: BackupEntry): string {
  const day = new Date(`${finishedAt.slice(0, 10)}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  return day.toISOString().slice(0, 10);
}
