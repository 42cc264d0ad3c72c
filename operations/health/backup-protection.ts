import { notProtected } from "../storage-protection.ts";
import type { BackupFolder } from "./backup-folder.ts";
import type { HealthCheck } from "./check.ts";
import { type Finding, formatSeconds } from "./report.ts";

/** The agent looks once an hour. */
const STALE_SECONDS = 3 * 3_600;

/** Whether the object storage keeps the stack's own key from deleting backups, where the settings say so. */
export const backupProtection: HealthCheck = {
  name: "backup protection",
  quick: false,
  async run({ backup, backupFolder, now }) {
    if (backup === undefined) return { status: "not applicable", message: "no backups are scheduled" };
    return evaluateProtection((await backupFolder()).protection, now);
  },
};

/** Judges what the agent found last. */
export function evaluateProtection({ wanted, found }: BackupFolder["protection"], now: Date): Finding {
  if (wanted === undefined)
    return { status: "not applicable", message: "the settings ask for none (pgstack:backupS3.protection)" };
  const value = wanted.mode;
  if (found === undefined || found.mode !== wanted.mode || found.days !== wanted.days)
    return { status: "warning", message: "the object storage was not looked at yet", value };
  if (found.problems.length > 0) return { status: "failed", message: notProtected(found), value };
  const seconds = Math.max(0, (now.getTime() - Date.parse(found.at)) / 1_000);
  const age = `${formatSeconds(Math.round(seconds))} ago`;
  return seconds > STALE_SECONDS
    ? { status: "warning", message: `the object storage was looked at last ${age}`, value }
    : { status: "ok", message: `what is deleted from bucket ${found.bucket} stays, tried ${age}`, value };
}
