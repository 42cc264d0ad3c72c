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
 * It shows what was removed, edited, moved or cut off. That somebody who may write all files has removed or made anew the
 * whole chain and head shows against an anchor that is kept in another place.
 *
 * @param anchor Count and hash at some time before; the log may have gone on since. Default: none is known.
 */
export async function verifyAudit(
  logsDirectory: string,
  stack: string,
  anchor?: AuditHead,
): Promise<AuditVerification> {
  checkStackName(stack);
  const writable = await access(logsDirectory, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!writable) return await verify(logsDirectory, stack, anchor);
  // An append under way is a log ahead of its head.
  return await withLock(auditLockPath(logsDirectory, stack), () => verify(logsDirectory, stack, anchor), {
    purpose: `verifying the audit log of stack ${stack}`,
  });
}

async function verify(
  logsDirectory: string,
  stack: string,
  anchor: AuditHead | undefined,
): Promise<AuditVerification> {
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
        if (!mayBeTorn(line.bytes))
          return result("not the beginning of a record: no crash leaves that", place);
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
      if (record.sequence === anchor?.records && record.hash !== anchor.lastHash) {
        return result(
          `record ${record.sequence} is not the one that was anchored: the log was made anew`,
          place,
        );
      }
    }
  }

  if (anchor !== undefined && position.records < anchor.records) {
    const missing = anchor.records - position.records;
    return result(
      `${missing} record${missing === 1 ? " is" : "s are"} missing (${anchor.records} were anchored)`,
      { file: end.line === 0 ? logsDirectory : end.file, line: end.line === 0 ? 0 : end.line + 1 },
    );
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

/** A crash leaves the beginning of what this program writes: text without control characters that begins as each record does. */
function mayBeTorn(bytes: Buffer): boolean {
  const begin = '{"time":"';
  // The last character may be cut as well.
  const text = bytes.toString("utf8").replace(/\uFFFD$/, "");
  return (
    (text.startsWith(begin) || begin.startsWith(text)) && !/\p{Cc}/u.test(text) && !text.includes("\uFFFD")
  );
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
