import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AuditRecord, appendAudit } from "../../operations/audit.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** An audit log of a test's own. */
export interface AuditLog {
  readonly logsDirectory: string;
  readonly stack: string;
  append(operation: string, time?: string, parameters?: Record<string, unknown>): Promise<AuditRecord>;
  /** Four records in two months. */
  appendMonths(): Promise<void>;
  /** Paths of the log files, oldest first. */
  files(): Promise<string[]>;
  readAll(): Promise<Map<string, Buffer>>;
}

const MONTHS = [
  "2026-10-30T10:00:00Z",
  "2026-10-31T23:59:59Z",
  "2026-11-01T00:00:01Z",
  "2026-11-02T08:00:00Z",
];

/** An empty log of stack `dev`, removed when the test is over. */
export async function emptyAuditLog(): Promise<AuditLog> {
  const logsDirectory = await temporaryFolder();
  const stack = "dev";
  const log: AuditLog = {
    logsDirectory,
    stack,
    append: (operation, time = "2026-11-20T12:00:00Z", parameters = {}) => {
      const entry = {
        operation,
        parameters,
        result: "ok",
        durationMilliseconds: 12,
        time: new Date(time),
      } as const;
      return appendAudit({ logsDirectory, stack, operator: "anna" }, entry);
    },
    appendMonths: async () => {
      for (const [index, time] of MONTHS.entries())
        await log.append(`operation ${index + 1}`, time, { step: index });
    },
    files: async () => {
      const names = (await readdir(logsDirectory)).filter((name) => name.endsWith(".log"));
      return names.sort().map((name) => join(logsDirectory, name));
    },
    readAll: async () => {
      const all = new Map<string, Buffer>();
      for (const path of await log.files()) all.set(path, await readFile(path));
      return all;
    },
  };
  return log;
}
