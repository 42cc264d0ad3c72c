import { type BackupEntry, isGood, newestOfEach } from "../../agent/entry.ts";
import { firstLines } from "../../agent/verification/outcome.ts";
import type { HealthCheck } from "./check.ts";
import type { Finding } from "./report.ts";

/** The newest logical and the newest physical backup: whether their verification failed, and what was odd at their source. */
export const backupContents: HealthCheck = {
  name: "backup contents",
  quick: false,
  async run({ backup, backupFolder }) {
    if (backup === undefined) return { status: "not applicable", message: "no backups are scheduled" };
    const list = ((await backupFolder()).metadata as { backups?: unknown } | undefined)?.backups;
    return evaluateContents(Array.isArray(list) ? (list as readonly BackupEntry[]) : []);
  },
};

/** Judges the newest backups by what is entered of them. */
export function evaluateContents(entries: readonly BackupEntry[]): Finding {
  const newest = newestOfEach(entries.filter(({ verification }) => verification !== undefined));
  if (newest.length === 0) return { status: "not applicable", message: "there is no backup yet" };
  const failed = newest.filter((entry) => !isGood(entry));
  if (failed.length > 0) {
    const lines = failed.map(({ kind, id, verification }) => `${kind} ${id}: ${verification.message ?? ""}`);
    return { status: "failed", message: `the newest backup failed its verification: ${lines.join("; ")}` };
  }
  // That a materialized view is stale is for reports: most are at any time.
  const messages = newest.flatMap(({ findings = [] }) => findings.map(({ message }) => message));
  const warnings = [...new Set(messages)];
  if (warnings.length > 0) return { status: "warning", message: firstLines(warnings) };
  return {
    status: "ok",
    message: newest.map(({ kind, verification }) => `${kind} ${verification.form}`).join(", "),
  };
}
