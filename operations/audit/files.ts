import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../user-error.ts";
import { writeWhole } from "../write-whole.ts";

/** What the head file keeps: how many records there are and the hash of the last, so that missing last ones show. */
export interface AuditHead {
  readonly records: number;
  readonly lastHash: string;
}

/** Refuses a stack name that could not be part of a file name. */
export function checkStackName(stack: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(stack)) {
    throw new UserError(
      `stack name ${JSON.stringify(stack)}: only letters, digits, ".", "_" and "-" can name its logs`,
    );
  }
}

/** Path of the head file. */
export function headPath(logsDirectory: string, stack: string): string {
  return join(logsDirectory, `audit-${stack}.head.json`);
}

/** Path of the lock under which records are appended. */
export function auditLockPath(logsDirectory: string, stack: string): string {
  return join(logsDirectory, `audit-${stack}.lock`);
}

/** File name of the month in which `time` lies (UTC). */
export function auditFileName(stack: string, time: Date): string {
  return `audit-${stack}-${time.toISOString().slice(0, 7)}.log`;
}

/** Names of a stack's audit files, oldest first; none when the directory is missing. */
export async function auditFileNames(logsDirectory: string, stack: string): Promise<string[]> {
  const prefix = `audit-${stack}-`;
  const names = await readdir(logsDirectory).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return names
    .filter((name) => name.startsWith(prefix) && /^\d{4}-\d{2}\.log$/.test(name.slice(prefix.length)))
    .sort();
}

/** The head; `missing` when there is none; `damaged` when the file holds something else. */
export async function readHead(
  logsDirectory: string,
  stack: string,
): Promise<AuditHead | "missing" | "damaged"> {
  let text: string;
  try {
    text = await readFile(headPath(logsDirectory, stack), "utf8");
  } catch (error) {
    if (isMissing(error)) return "missing";
    throw error;
  }
  try {
    const { records, lastHash } = JSON.parse(text) as Partial<Record<keyof AuditHead, unknown>>;
    const valid =
      Number.isSafeInteger(records) && typeof lastHash === "string" && /^[0-9a-f]{64}$/.test(lastHash);
    return valid ? { records: Number(records), lastHash } : "damaged";
  } catch {
    return "damaged";
  }
}

/** Replaces the head file whole or not at all, also across a power cut. */
export async function writeHead(logsDirectory: string, stack: string, head: AuditHead): Promise<void> {
  await writeWhole(headPath(logsDirectory, stack), `${JSON.stringify(head)}\n`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
