import type { BackupFolder } from "./backup-folder.ts";
import { type HealthCheck, singleRow } from "./check.ts";
import { type Finding, formatSeconds } from "./report.ts";
import { type HealthThresholds, judge } from "./thresholds.ts";

/** What the server says about its WAL archive. */
export interface ArchiveState {
  /** Finished segments that wait. */
  readonly waiting: number;
  /** Seconds that the oldest of them waits; 0 when none does. */
  readonly oldestSeconds: number;
  /** The last attempt failed. */
  readonly failing: boolean;
  readonly lastFailedSegment: string | null;
  /** What the object storage beside the local repository lacks. */
  readonly queue: BackupFolder["queue"];
}

const NO_QUEUE = { waiting: 0, oldestSeconds: 0 };

/** How long finished WAL waits for its archive. Value: seconds of the oldest segment. */
export const archiveLag: HealthCheck = {
  name: "archive lag",
  quick: false,
  async run({ session, thresholds, backup, backupFolder }) {
    const administrator = await session("administrator");
    const { enabled } = await singleRow<{ enabled: boolean }>(
      administrator,
      "select current_setting('archive_mode') <> 'off' as enabled",
    );
    if (!enabled) {
      return { status: "not applicable", message: "WAL archiving is off" };
    }
    const state = await singleRow<{
      waiting: number;
      oldest_seconds: number;
      failing: boolean;
      last_failed_wal: string | null;
    }>(
      administrator,
      `select waiting, oldest_seconds, last_failed_wal,
              coalesce(last_failed_time > last_archived_time, last_failed_time is not null) as failing
       from pg_stat_archiver,
            (select count(*)::int as waiting,
                    coalesce(extract(epoch from now() - min(modification)), 0)::float8 as oldest_seconds
             from pg_ls_archive_statusdir() where name like '%.ready') as ready`,
    );
    return evaluateArchive(
      {
        waiting: state.waiting,
        oldestSeconds: state.oldest_seconds,
        failing: state.failing,
        lastFailedSegment: state.last_failed_wal,
        queue: backup === undefined ? NO_QUEUE : (await backupFolder()).queue,
      },
      thresholds,
    );
  },
};

/** Judges the archive; a failing archive warns at once, long before the disk fills. */
export function evaluateArchive(
  state: ArchiveState,
  { archiveLagSeconds }: Pick<HealthThresholds, "archiveLagSeconds">,
): Finding {
  const { queue } = state;
  const oldest = Math.max(state.oldestSeconds, queue.oldestSeconds);
  const value = Math.round(oldest);
  const late = judge(oldest, archiveLagSeconds);
  const status = late === "ok" && (state.failing || queue.waiting > 0) ? "warning" : late;
  const waiting =
    state.waiting === 0
      ? "nothing waits"
      : `${state.waiting} segments wait, the oldest for ${formatSeconds(Math.round(state.oldestSeconds))}`;
  const storage =
    queue.waiting === 0
      ? ""
      : `; the object storage lacks ${queue.waiting} that the local repository has, since ${formatSeconds(queue.oldestSeconds)}`;
  const failing = state.failing
    ? `; the last attempt failed at ${state.lastFailedSegment ?? "an unknown segment"}`
    : "";
  return { status, message: `${waiting}${failing}${storage}`, value };
}
