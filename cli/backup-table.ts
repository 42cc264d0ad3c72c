import { type BackupEntry, warningsOf } from "../agent/entry.ts";
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
      ...(entry.ownEndOnly === true ? ["as of its own end only"] : []),
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

/** What was odd at the source of backups, each once. */
export function sourceWarnings(entries: readonly BackupEntry[]): string[] {
  return [...new Set(entries.flatMap(warningsOf))];
}

function verificationText(entry: BackupEntry): string {
  const { form, result, message = "" } = entry.verification;
  if (result === "failed") return `${statusText("failed")}: ${harmless(message)}`;
  const warnings = warningsOf(entry).length;
  return warnings === 0 ? form : `${form}, ${warnings} warning${warnings === 1 ? "" : "s"}`;
}
