import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "../lock.ts";
import { linesOf, type NumberedLine, textOf } from "../log-lines.ts";
import { follows, headAfter, REPAIR_OPERATION } from "./append.ts";
import {
  type AuditHead,
  auditFileNames,
  auditLockPath,
  checkStackName,
  headPath,
  readHead,
} from "./files.ts";
import { type AuditRecord, FIRST_PREVIOUS_HASH, readRecord } from "./record.ts";

/** The first place where the audit log is not as it was written. */
export interface BadAuditRecord {
  /** Path of the file. */
  readonly file: string;
  /** Line in it, from 1; 0 for the file as a whole. */
  readonly line: number;
  readonly reason: string;
}

/** What {@link verifyAudit} found. */
export interface AuditVerification {
  /** Records in order before the first bad one; all of them when there is none. */
  readonly records: number;
  /** Hash of the last good record: kept elsewhere, it proves that the log was not written anew as a whole. */
  readonly lastHash: string;
  /** Absent when every record is there, unchanged and in order. */
  readonly firstBad?: BadAuditRecord;
  /** A line that a crash cut short and that no record was lost by; the next append sets it aside. */
  readonly torn?: { readonly file: string; readonly line: number };
  /** Records by which earlier appends say that they found damage. */
  readonly repairs: readonly AuditRecord[];
}

/**
 * Checks a stack's whole audit log: each record's hash, its link to the one before over all months, and the number
 * of records and last hash against the head file.
 *
 * It shows what was removed, edited, moved or cut off. It can't show that somebody who may write all files has made
 * the whole chain and head anew: for that, keep {@link AuditVerification.lastHash} in another place.
 */
export async function verifyAudit(logsDirectory: string, stack: string): Promise<AuditVerification> {
  checkStackName(stack);
  const writable = await access(logsDirectory, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!writable) return await verify(logsDirectory, stack);
  // An append under way is a log ahead of its head.
  return await withLock(auditLockPath(logsDirectory, stack), () => verify(logsDirectory, stack), {
    purpose: `verifying the audit log of stack ${stack}`,
  });
}

async function verify(logsDirectory: string, stack: string): Promise<AuditVerification> {
  const head = await readHead(logsDirectory, stack);
  const names = await auditFileNames(logsDirectory, stack);
  const repairs: AuditRecord[] = [];
  let position: AuditHead = { records: 0, lastHash: FIRST_PREVIOUS_HASH };
  let before = position;
  let end = { file: headPath(logsDirectory, stack), line: 0 };
  let torn: { file: string; line: number } | undefined;
  const result = (reason?: string, place = end): AuditVerification => ({
    ...position,
    repairs,
    ...(reason === undefined ? {} : { firstBad: { ...place, reason } }),
    ...(torn === undefined ? {} : { torn }),
  });

  for (const name of names) {
    const file = join(logsDirectory, name);
    for await (const line of linesOf(file)) {
      const place = { file, line: line.number };
      if (!line.ended) {
        torn = place;
        continue;
      }
      if (torn !== undefined) return result("cut short in the middle of the log", torn);
      const record = check(line, position, stack, name);
      if (typeof record === "string") return result(record, place);
      if (record.operation === REPAIR_OPERATION) repairs.push(record);
      before = position;
      position = headAfter(record);
      end = place;
    }
  }

  if (head === "damaged")
    return result("the head file holds no count and hash", {
      ...end,
      file: headPath(logsDirectory, stack),
      line: 0,
    });
  if (head === "missing") {
    if (position.records === 0 && torn === undefined) return result();
    return result("the head file is missing: whether last records were removed can't be told", {
      file: headPath(logsDirectory, stack),
      line: 0,
    });
  }
  // The log may be one record ahead: a crash between the two writes.
  const ahead = before.records === head.records && before.lastHash === head.lastHash && position !== before;
  if (ahead || (position.records === head.records && position.lastHash === head.lastHash)) return result();
  const next = torn ?? { file: end.file, line: end.line + 1 };
  if (position.records < head.records) {
    const missing = head.records - position.records;
    return result(
      `${missing} last record${missing === 1 ? " is" : "s are"} missing (the head file counts ${head.records})`,
      next,
    );
  }
  return result(`the head file counts only ${head.records} records, or another last one`, {
    file: headPath(logsDirectory, stack),
    line: 0,
  });
}

function check(
  line: NumberedLine,
  position: AuditHead,
  stack: string,
  fileName: string,
): AuditRecord | string {
  const text = textOf(line.bytes);
  const record = text === undefined ? "not text in UTF-8" : readRecord(text);
  if (typeof record === "string") return record;
  if (!follows(record, position)) {
    const expected = position.records + 1;
    return record.sequence === expected
      ? `record ${expected} does not follow the one before it: its previous hash differs`
      : `record ${record.sequence} stands where record ${expected} belongs: removed or reordered`;
  }
  if (record.stack !== stack) return `a record of stack ${record.stack}`;
  const month = fileName.slice(-"YYYY-MM.log".length, -".log".length);
  return record.time.slice(0, month.length) > month ? "moved here from a later month" : record;
}
