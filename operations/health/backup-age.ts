import { Cron } from "croner";
import type { BackupEntry } from "../../agent/entry.ts";
import type { OwedBackup } from "../../agent/lineage/record.ts";
import { UserError } from "../user-error.ts";
import { otherFolder } from "./backup-folder.ts";
import type { HealthCheck } from "./check.ts";
import { type Finding, formatSeconds } from "./report.ts";
import type { HealthThresholds } from "./thresholds.ts";

/** The newest entered backup against its schedule. Value: its age in seconds. */
export const backupAge: HealthCheck = {
  name: "backup age",
  quick: false,
  async run({ backup, backupFolder, now, thresholds }) {
    if (backup === undefined) return { status: "not applicable", message: "no backups are scheduled" };
    const found = await backupFolder();
    const other = otherFolder(backup.folder, found);
    if (other !== undefined) return { status: "failed", message: other };
    const { metadata, owed, failedAt, clusterSeconds } = found;
    const newest = newestBackup(metadata);
    const missed = missedRuns(backup.schedule, newest, now, thresholds);
    return withOwed(evaluateBackupAge({ newest, now, missed, failedAt, clusterSeconds }, thresholds), owed);
  },
};

/** How the newest backup stands to its schedule. */
export interface BackupState {
  /** Undefined: there is none yet. */
  readonly newest: Date | undefined;
  readonly now: Date;
  /** Scheduled runs since then that should have ended by now. */
  readonly missed: number;
  /** When the last scheduled one failed, where none has succeeded since. */
  readonly failedAt?: string | undefined;
  /** How old the cluster is. */
  readonly clusterSeconds: number;
}

/** Judges the age; the first backup of a new stack is awaited without a warning. */
export function evaluateBackupAge(
  { newest, now, missed, failedAt, clusterSeconds }: BackupState,
  { missedBackups, backupGraceSeconds }: Pick<HealthThresholds, "missedBackups" | "backupGraceSeconds">,
): Finding {
  if (newest === undefined) {
    if (failedAt !== undefined) {
      return {
        status: "warning",
        message: `there is no backup yet, and the last try failed at ${failedAt}: see the agent's log`,
      };
    }
    return clusterSeconds < backupGraceSeconds
      ? { status: "not applicable", message: "the first backup is being taken" }
      : { status: "warning", message: "there is no backup yet" };
  }
  const seconds = Math.round((now.getTime() - newest.getTime()) / 1_000);
  if (seconds < -300) {
    return {
      status: "warning",
      message: `the newest is ${formatSeconds(-seconds)} in the future: check the clock`,
      value: seconds,
    };
  }
  const age = `the newest is ${formatSeconds(seconds)} old`;
  if (missed >= missedBackups.fail) {
    return {
      status: "failed",
      message: `${age}: at least ${missed} scheduled backups are missing`,
      value: seconds,
    };
  }
  if (missed >= missedBackups.warn) {
    return { status: "warning", message: `${age}: a scheduled backup is missing`, value: seconds };
  }
  return { status: "ok", message: age, value: seconds };
}

/** A restore without a full backup after it can be recovered from, but only from a base before it. */
export function withOwed(finding: Finding, owed: OwedBackup | undefined): Finding {
  if (owed === undefined) return finding;
  const message = `${finding.message}; a full backup is owed since ${owed.since} (${owed.by}): pgstack restore --resume takes it`;
  return { ...finding, status: finding.status === "ok" ? "warning" : finding.status, message };
}

/** Scheduled runs between the newest backup and now, but for those that may still be running; counted to the failing limit. */
export function missedRuns(
  schedule: string,
  newest: Date | undefined,
  now: Date,
  { missedBackups, backupGraceSeconds }: Pick<HealthThresholds, "missedBackups" | "backupGraceSeconds">,
): number {
  if (newest === undefined) return 0;
  const due = new Date(now.getTime() - backupGraceSeconds * 1_000);
  const runs = new Cron(schedule, { paused: true, timezone: "UTC" }).nextRuns(
    Math.ceil(missedBackups.fail),
    newest,
  );
  return runs.filter((run) => run <= due).length;
}

/** Time of the newest good backup; undefined when there is none. */
export function newestBackup(metadata: unknown): Date | undefined {
  if (metadata === undefined) return undefined;
  const list = (metadata as { backups?: unknown } | null)?.backups;
  if (!Array.isArray(list))
    throw new UserError("metadata.json has no list of backups: pgstack verify makes it anew");
  const times = (list as readonly Partial<BackupEntry>[])
    .filter((entry) => entry?.verification?.result === "ok")
    .map((entry) => Date.parse(String(entry.finishedAt)))
    .filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}
