import { join } from "node:path";
import { auditFileNames } from "../operations/audit/files.ts";
import { type AuditRecord, readRecord } from "../operations/audit/record.ts";
import { linesOf, textOf } from "../operations/log-lines.ts";

/** The last records of a stack's audit log, oldest first, and how many lines among them are no sound records. */
export async function lastAuditRecords(
  logsDirectory: string,
  stack: string,
  count: number,
): Promise<{ records: AuditRecord[]; damaged: number }> {
  let records: AuditRecord[] = [];
  let damaged = 0;
  for (const name of (await auditFileNames(logsDirectory, stack)).reverse()) {
    if (records.length >= count) break;
    const month: AuditRecord[] = [];
    for await (const { bytes } of linesOf(join(logsDirectory, name))) {
      const text = textOf(bytes);
      const record = text === undefined ? "not text" : readRecord(text);
      if (typeof record === "string") damaged += 1;
      else month.push(record);
    }
    records = [...month, ...records];
  }
  return { records: count === 0 ? [] : records.slice(-count), damaged };
}
