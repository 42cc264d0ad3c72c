import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import type { BackupEntry } from "../entry.ts";
import { Refusal } from "../failure.ts";
import { writeWhole } from "../files.ts";
import { segmentTimeline } from "../physical/segments.ts";
import { pointsInTime } from "../point-in-time.ts";
import { psql, query } from "../sql.ts";
import { recoveryPoint } from "../stream/recovery-point.ts";

/** What can be reached by recovery. */
export interface RecoveryWindow {
  /** End of the oldest good backup that log follows. */
  readonly from: string;
  /** Last moment whose commits are in the backup place for sure. */
  readonly to: string;
}

/** A restore point that was set by the stack. */
export interface RestorePoint {
  readonly name: string;
  readonly lsn: string;
  readonly at: string;
  /** Absent in what earlier versions have written. */
  readonly timeline?: number;
}

/** The window of the stack's own timelines; undefined when there is no physical backup. */
export async function recoveryWindow(
  configuration: AgentConfiguration,
  entries: readonly BackupEntry[],
  context: Pick<Context, "signal">,
): Promise<RecoveryWindow | undefined> {
  const points = pointsInTime(entries);
  if (points === undefined) return undefined;
  const to = await loggedUntil(configuration, context);
  return { from: points.from, to: to < points.from ? points.from : to };
}

/** The last commit that is in the backup place for sure. Without a server recovery itself tells where the log ends. */
async function loggedUntil(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<string> {
  const { asOf } = configuration.physical;
  if (asOf !== undefined) return new Date(asOf.time).toISOString();
  const { seconds } = await recoveryPoint(configuration, context).catch(() => ({ seconds: 0 }));
  context.signal.throwIfAborted();
  return new Date(Date.now() - seconds * 1_000).toISOString();
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
  const [row] = await query<{ lsn: string; at: string; segment: string }>(
    configuration,
    `SELECT pg_create_restore_point('${name}')::text AS lsn, pg_walfile_name(pg_current_wal_insert_lsn()) AS segment,
            to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at`,
    context,
  );
  if (row === undefined) throw new Error("the server did not set the restore point");
  await archiveNow(configuration, context);
  const point = { name, lsn: row.lsn, at: row.at, timeline: segmentTimeline(row.segment) };
  await writeWhole(
    pointsFile(configuration),
    `${JSON.stringify([...points, point].slice(-1_000), undefined, 2)}\n`,
  );
  return point;
}

/** The archiver has that long to take what there is; after it recovery itself tells where the archive ends. */
const ARCHIVE_MILLISECONDS = 60_000;

/**
 * Has everything until now archived, with a commit at its end: recovery to a moment stops at the first commit after it, and
 * fails where there is none.
 */
export async function archiveNow(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  await psql(configuration, "SELECT pg_current_xact_id();", context);
  const sql = "SELECT pg_walfile_name(pg_switch_wal()) AS segment";
  const [row] = await query<{ segment: string }>(configuration, sql, context);
  const deadline = performance.now() + ARCHIVE_MILLISECONDS;
  while (performance.now() < deadline) {
    const [archiver] = await query<{ segment: string | null }>(
      configuration,
      "SELECT last_archived_wal AS segment FROM pg_stat_archiver",
      context,
    );
    const archived = (archiver?.segment ?? "").slice(0, 24);
    if (row === undefined || (/^[0-9A-F]{24}$/.test(archived) && archived >= row.segment)) return;
    await delay(100, undefined, { signal: context.signal });
  }
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
