import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { type BackupEntry, isGood } from "../entry.ts";
import { Refusal } from "../failure.ts";
import { writeWhole } from "../files.ts";
import { physicalEntries } from "../physical/info.ts";
import { query } from "../sql.ts";
import { describeTarget, lsnNumber, type RecoveryTarget } from "./target.ts";

/** What can be reached by recovery. */
export interface RecoveryWindow {
  /** End of the oldest good backup. */
  readonly from: string;
  /** Last commit that is archived for sure; now, while the server archives without failures. */
  readonly to: string;
}

/** A restore point that was set by the stack. */
export interface RestorePoint {
  readonly name: string;
  readonly lsn: string;
  readonly at: string;
}

/** The window; undefined when there is no physical backup. */
export async function recoveryWindow(
  configuration: AgentConfiguration,
  entries: readonly BackupEntry[],
  context: Pick<Context, "signal">,
): Promise<RecoveryWindow | undefined> {
  const oldest = entries.find((entry) => entry.kind !== "logical" && isGood(entry));
  if (oldest === undefined) return undefined;
  return { from: oldest.finishedAt, to: await archivedUntil(configuration, oldest.finishedAt, context) };
}

/** While the archiver keeps up, a commit of now is archived within its time-out. */
async function archivedUntil(
  configuration: AgentConfiguration,
  otherwise: string,
  { signal }: Pick<Context, "signal">,
): Promise<string> {
  try {
    const [row] = await query<{ at: string | null; behind: boolean }>(
      configuration,
      `SELECT to_char(last_archived_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
              (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') > 1 AS behind
         FROM pg_stat_archiver`,
      { signal },
    );
    if (row?.behind === false) return new Date().toISOString();
    return row?.at ?? otherwise;
  } catch {
    signal.throwIfAborted();
    // Without a server the archive is what it is: recovery itself tells its end.
    return new Date().toISOString();
  }
}

/**
 * The backups to recover from, the likeliest first.
 *
 * @throws Refusal when the target cannot be reached from any, with the window that is possible.
 */
export async function backupsFor(
  configuration: AgentConfiguration,
  target: RecoveryTarget,
  context: Pick<Context, "signal">,
): Promise<readonly BackupEntry[]> {
  const entries = (await physicalEntries(configuration, context)).filter(isGood);
  const window = await recoveryWindow(configuration, entries, context);
  if (window === undefined)
    throw new Refusal("there is no physical backup to restore from: pgstack backup --kind full");
  const newestFirst = entries.toReversed();
  const possible = `possible is ${window.from} to ${window.to}`;
  const refuse = (): never => {
    throw new Refusal(`${describeTarget(target)} cannot be reached: ${possible}`);
  };
  switch (target.type) {
    case "latest":
      return newestFirst.slice(0, 1);
    case "backup": {
      const found = newestFirst.filter(({ id }) => id === target.id);
      if (found.length > 0) return found;
      const newest = newestFirst[0]?.id ?? "none";
      throw new Refusal(`there is no good physical backup ${target.id}; the newest good one is ${newest}`);
    }
    case "time": {
      const time = Date.parse(target.value);
      if (time > Date.now()) {
        throw new Refusal(
          `${target.value} is in the future (now is ${new Date().toISOString()}): ${possible}`,
        );
      }
      const before = newestFirst.filter(({ finishedAt }) => Date.parse(finishedAt) <= time);
      return before.length > 0 ? before.slice(0, 1) : refuse();
    }
    case "lsn": {
      const before = endedBefore(newestFirst, target.value);
      return before.length > 0 ? before.slice(0, 1) : refuse();
    }
    case "name": {
      const point = (await restorePoints(configuration)).findLast(({ name }) => name === target.value);
      // One that was set by SQL is in no list: then each backup is tried.
      if (point === undefined) return newestFirst;
      const before = endedBefore(newestFirst, point.lsn);
      return before.length > 0 ? before.slice(0, 1) : refuse();
    }
    case "xid":
      return newestFirst;
  }
}

function endedBefore(newestFirst: readonly BackupEntry[], lsn: string): BackupEntry[] {
  return newestFirst.filter(({ stopLsn }) => stopLsn !== undefined && lsnNumber(stopLsn) <= lsnNumber(lsn));
}

/** Sets a restore point, and has it archived. */
export async function setRestorePoint(
  configuration: AgentConfiguration,
  name: string,
  context: Pick<Context, "signal">,
): Promise<RestorePoint> {
  const points = await restorePoints(configuration);
  if (points.some((point) => point.name === name)) {
    throw new Refusal(
      `there is a restore point ${name} already: recovery would stop at the first of that name`,
    );
  }
  const [row] = await query<{ lsn: string; at: string }>(
    configuration,
    `SELECT pg_create_restore_point('${name}')::text AS lsn,
            to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at`,
    context,
  );
  if (row === undefined) throw new Error("the server did not set the restore point");
  await query(configuration, "SELECT pg_switch_wal()::text AS lsn", context);
  const point = { name, lsn: row.lsn, at: row.at };
  await writeWhole(
    pointsFile(configuration),
    `${JSON.stringify([...points, point].slice(-1_000), undefined, 2)}\n`,
  );
  return point;
}

/** The restore points that the stack set, the oldest first. */
export async function restorePoints(configuration: AgentConfiguration): Promise<RestorePoint[]> {
  return readFile(pointsFile(configuration), "utf8")
    .then((text) => JSON.parse(text) as RestorePoint[])
    .catch(() => []);
}

function pointsFile({ backupDirectory }: AgentConfiguration): string {
  return join(backupDirectory, "state", "restore-points.json");
}
