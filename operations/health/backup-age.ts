import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Cron } from "croner";
import { UserError } from "../user-error.ts";
import type { HealthCheck } from "./check.ts";
import { type Finding, formatSeconds } from "./report.ts";
import type { HealthThresholds } from "./thresholds.ts";

/** Times that the entry of a backup may carry, the most telling first. */
const TIME_FIELDS = ["finishedAt", "completedAt", "time", "at"] as const;

/** The newest entered backup against its schedule. Value: its age in seconds. */
export const backupAge: HealthCheck = {
  name: "backup age",
  quick: false,
  async run({ backup, now, thresholds }) {
    if (backup === undefined) return { status: "not applicable", message: "no backups are scheduled" };
    const newest = newestBackup(await readMetadata(backup.directory));
    return evaluateBackupAge(
      { newest, now, missed: missedRuns(backup.schedule, newest, now, thresholds) },
      thresholds,
    );
  },
};

/** How the newest backup stands to its schedule. */
export interface BackupState {
  /** Undefined: there is none yet. */
  readonly newest: Date | undefined;
  readonly now: Date;
  /** Scheduled runs since then that should have ended by now. */
  readonly missed: number;
}

/** Judges the age; a new stack, which can't have a backup yet, is only warned. */
export function evaluateBackupAge(
  { newest, now, missed }: BackupState,
  { missedBackups }: Pick<HealthThresholds, "missedBackups">,
): Finding {
  if (newest === undefined) return { status: "warning", message: "there is no backup yet" };
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

/** Time of the newest entry; undefined when there is none. */
export function newestBackup(metadata: unknown): Date | undefined {
  const list = Array.isArray(metadata) ? metadata : (metadata as { backups?: unknown } | null)?.backups;
  if (!Array.isArray(list)) throw new UserError("backups/metadata.json has no list of backups: rebuild it");
  const times = list.map(entryTime).filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}

function entryTime(entry: unknown): number {
  if (typeof entry !== "object" || entry === null) return Number.NaN;
  const fields = entry as Record<string, unknown>;
  const found = TIME_FIELDS.map((name) => fields[name]).find((value) => typeof value === "string");
  return found === undefined ? Number.NaN : Date.parse(String(found));
}

async function readMetadata(directory: string): Promise<unknown> {
  const path = join(directory, "metadata.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError(`${path} is not JSON: rebuild it from the backups`);
  }
}
