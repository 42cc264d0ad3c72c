import type { BackupEntry } from "../agent/entry.ts";
import { formatBytes, formatDuration, harmless, statusText, table } from "./print.ts";

/** Backups as a table for people, the oldest first. */
export function backupTable(entries: readonly BackupEntry[], now: Date): string {
  const rows = entries.map((entry) => [
    entry.id,
    entry.kind,
    `${formatDuration(Math.max(0, (now.getTime() - Date.parse(entry.finishedAt)) / 1_000))} ago`,
    formatBytes(entry.bytes),
    entry.repositories.join(", ") + (entry.encrypted ? ", encrypted" : ""),
    verificationText(entry),
    [
      ...(entry.label === undefined ? [] : [harmless(entry.label)]),
      ...(entry.abandoned === true ? [`timeline ${entry.timeline}, abandoned`] : []),
    ].join("; "),
  ]);
  return table([["ID", "KIND", "AGE", "SIZE", "WHERE", "VERIFIED", "LABEL"], ...rows]);
}

/** One backup in a line. */
export function formatBackup(entry: BackupEntry): string {
  const seconds = (Date.parse(entry.finishedAt) - Date.parse(entry.startedAt)) / 1_000;
  const label = entry.label === undefined ? "" : ` "${harmless(entry.label)}"`;
  return `${entry.kind} backup ${entry.id}${label}: ${formatBytes(entry.bytes)} in ${seconds.toFixed(1)} s, ${entry.repositories.join(", ")}, ${verificationText(entry)}`;
}

function verificationText({ verification }: BackupEntry): string {
  return verification.result === "ok"
    ? verification.form
    : `${statusText("failed")}: ${harmless(verification.message ?? "")}`;
}
