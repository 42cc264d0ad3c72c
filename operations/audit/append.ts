import { mkdir, open, truncate, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { withLock } from "../lock.ts";
import { readTail, textOf } from "../log-lines.ts";
import { redactParameters, redactText } from "../redaction.ts";
import { syncDirectory } from "../write-whole.ts";
import {
  type AuditHead,
  auditFileName,
  auditFileNames,
  auditLockPath,
  checkStackName,
  readHead,
  writeHead,
} from "./files.ts";
import { type AuditRecord, FIRST_PREVIOUS_HASH, readRecord, recordLine, sealRecord } from "./record.ts";
import { noteWritten } from "./written.ts";

/** Where audit records of a stack go, and what must not stand in them. */
export interface AuditContext {
  /** Directory of the logs on the operator's side; made when missing. */
  readonly logsDirectory: string;
  readonly stack: string;
  /** Who acts. Default: PGSTACK_OPERATOR, else the name of the operating system's user. */
  readonly operator?: string;
  /** Secret values that are taken out wherever they stand, besides those known by their key's name or form. */
  readonly secrets?: readonly string[];
}

/** One event to record. */
export interface AuditEntry {
  readonly operation: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly result: "ok" | "failed";
  readonly error?: string;
  readonly durationMilliseconds: number;
  /** When it ended. Default: now. */
  readonly time?: Date;
}

/** Operation name of the records by which an append says what it found damaged. */
export const REPAIR_OPERATION = "audit repair";
const LONGEST_ERROR = 1_000;

/**
 * Appends one record and returns it once it is on disk (fsync of the log, then of the head file).
 *
 * What a crash or a hand left behind never stops the next append, and never disappears either: half a last line is
 * kept aside in `<file>.torn-<time>`, a missing head file is made again, and both are recorded. When records are
 * missing the chain goes on from the head file, so that the gap stays visible to `verifyAudit`.
 *
 * @throws Error when the log can't be written; UserError when its lock stays taken.
 */
export async function appendAudit(context: AuditContext, entry: AuditEntry): Promise<AuditRecord> {
  const { logsDirectory, stack } = context;
  checkStackName(stack);
  await mkdir(logsDirectory, { recursive: true });
  return await withLock(
    auditLockPath(logsDirectory, stack),
    async () => {
      const { head, repairs } = await findEnd(logsDirectory, stack);
      let position = head;
      for (const repair of repairs) {
        const note: AuditEntry = {
          operation: REPAIR_OPERATION,
          parameters: repair,
          result: "ok",
          durationMilliseconds: 0,
        };
        position = headAfter(await write(context, note, position));
      }
      return await write(context, entry, position);
    },
    { purpose: `an audit record of stack ${stack}` },
  );
}

/** Who acts, unless the caller says: PGSTACK_OPERATOR, else the operating system's user. */
export function defaultOperator(): string {
  const named = process.env.PGSTACK_OPERATOR?.trim();
  if (named !== undefined && named !== "") return named;
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in the password file, as in some containers.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

/** The state of the chain after a record. */
export function headAfter(record: AuditRecord): AuditHead {
  return { records: record.sequence, lastHash: record.hash };
}

/** True when the record is the one right after the head. */
export function follows(record: AuditRecord, head: AuditHead): boolean {
  return record.sequence === head.records + 1 && record.previousHash === head.lastHash;
}

async function write(context: AuditContext, entry: AuditEntry, head: AuditHead): Promise<AuditRecord> {
  const { logsDirectory, stack, secrets } = context;
  const time = entry.time ?? new Date();
  const record = sealRecord({
    time: time.toISOString(),
    sequence: head.records + 1,
    operator: redactText(context.operator ?? defaultOperator(), secrets),
    operation: redactText(entry.operation, secrets),
    stack,
    parameters: redactParameters(entry.parameters, secrets),
    result: entry.result,
    ...(entry.error === undefined ? {} : { error: oneLine(redactText(entry.error, secrets)) }),
    durationMilliseconds: Math.round(entry.durationMilliseconds),
    previousHash: head.lastHash,
  });
  const names = await auditFileNames(logsDirectory, stack);
  const month = auditFileName(stack, time);
  const last = names.at(-1);
  // A clock that went back must not put a record before older ones: the newest file stays in use.
  const name = last !== undefined && last > month ? last : month;
  const file = await open(join(logsDirectory, name), "a", 0o600);
  try {
    await file.writeFile(`${recordLine(record)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  if (!names.includes(name)) await syncDirectory(logsDirectory);
  await writeHead(logsDirectory, stack, headAfter(record));
  noteWritten({ logsDirectory, stack });
  return record;
}

/** Where the chain ends, with the end made whole, and what was found damaged. */
async function findEnd(
  logsDirectory: string,
  stack: string,
): Promise<{ head: AuditHead; repairs: Record<string, unknown>[] }> {
  const head = await readHead(logsDirectory, stack);
  const known: AuditHead = typeof head === "object" ? head : { records: 0, lastHash: FIRST_PREVIOUS_HASH };
  const repairs: Record<string, unknown>[] = [];
  let last: AuditRecord | undefined;
  let lines = false;
  for (const name of (await auditFileNames(logsDirectory, stack)).reverse()) {
    const path = join(logsDirectory, name);
    const tail = await readTail(path);
    if (tail.rest.length > 0) {
      const record = parse(tail.rest);
      if (record !== undefined && (record.hash === known.lastHash || follows(record, known))) {
        await appendLineEnd(path);
        last = record;
        lines = true;
        break;
      }
      repairs.push(await setAside(path, name, tail.rest, tail.wholeBytes));
    }
    if (tail.lastLine !== undefined) {
      last = parse(tail.lastLine);
      lines = true;
      break;
    }
  }
  if (typeof head === "object") {
    // One record more than the head: the crash came between the two writes.
    return { head: last !== undefined && follows(last, head) ? headAfter(last) : head, repairs };
  }
  if (lines || head === "damaged") repairs.unshift({ found: `head file ${head}` });
  return { head: last === undefined ? known : headAfter(last), repairs };
}

async function setAside(path: string, name: string, rest: Buffer, wholeBytes: number) {
  const kept = `${name}.torn-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  await writeFile(`${path}${kept.slice(name.length)}`, rest, { mode: 0o600, flush: true });
  await truncate(path, wholeBytes);
  return { found: "torn last line", file: name, bytes: rest.length, kept };
}

async function appendLineEnd(path: string): Promise<void> {
  const file = await open(path, "a");
  try {
    await file.writeFile("\n");
    await file.sync();
  } finally {
    await file.close();
  }
}

function parse(line: Buffer): AuditRecord | undefined {
  const text = textOf(line);
  const record = text === undefined ? "" : readRecord(text);
  return typeof record === "string" ? undefined : record;
}

function oneLine(text: string): string {
  return text
    .trim()
    .replaceAll(/\s*[\r\n]+\s*/g, "; ")
    .slice(0, LONGEST_ERROR);
}
