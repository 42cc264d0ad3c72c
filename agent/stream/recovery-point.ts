import { setTimeout as delay } from "node:timers/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { lsnNumber, segmentNumber, segmentStart, segmentTimeline } from "../physical/segments.ts";
import { query } from "../sql.ts";
import { receivedUntil } from "./folder.ts";

/** What the loss of the host would cost now, measured: by the files in the backup place, not by what the receiver says. */
export interface RecoveryPoint {
  /** Seconds that a commit may be old and not be in the backup place yet. 0: every one is there. */
  readonly seconds: number;
}

/** What has been committed just now is on its way for as long. */
const PATIENCE_MILLISECONDS = 2_000;
const POLL_MILLISECONDS = 100;

/** Measures how long it takes what is committed now to be in the backup place, or since when nothing has come there. */
export async function recoveryPoint(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<RecoveryPoint> {
  const [now] = await query<{ identifier: string; lsn: string; segment: string }>(
    configuration,
    `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS identifier,
            pg_current_wal_flush_lsn()::text AS lsn, pg_walfile_name(pg_current_wal_flush_lsn()) AS segment`,
    context,
  );
  if (now === undefined) throw new Error("the server does not tell how far its log is");
  const [wanted, timeline] = [lsnNumber(now.lsn), segmentTimeline(now.segment)];
  const started = performance.now();
  for (;;) {
    const waited = performance.now() - started;
    const seconds = waited < POLL_MILLISECONDS ? 0 : waited / 1_000;
    const received = await receivedUntil(configuration, { systemIdentifier: now.identifier, timeline });
    if (received !== undefined && received.lsn >= wanted) return { seconds };
    const archived = await archivedUntil(configuration, timeline, context);
    if (archived !== undefined && archived.lsn >= wanted) return { seconds };
    if (waited > PATIENCE_MILLISECONDS) {
      const last = Math.max(received?.at.getTime() ?? 0, archived?.at.getTime() ?? 0);
      return { seconds: last === 0 ? seconds : Math.max(seconds, (Date.now() - last) / 1_000) };
    }
    await delay(POLL_MILLISECONDS, undefined, { signal: context.signal });
  }
}

async function archivedUntil(
  configuration: AgentConfiguration,
  timeline: number,
  context: Pick<Context, "signal">,
): Promise<{ readonly lsn: bigint; readonly at: Date } | undefined> {
  const [archiver] = await query<{ segment: string; at: string }>(
    configuration,
    `SELECT left(last_archived_wal, 24) AS segment, to_char(last_archived_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
       FROM pg_stat_archiver WHERE last_archived_wal ~ '^[0-9A-F]{24}$'`,
    context,
  );
  if (archiver === undefined || segmentTimeline(archiver.segment) !== timeline) return undefined;
  return { lsn: segmentStart(segmentNumber(archiver.segment) + 1), at: new Date(archiver.at) };
}
