import { appendFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { HealthReport } from "./health/report.ts";
import { readTail } from "./log-lines.ts";

/** Where health reports of a stack are kept. */
export interface HealthLogContext {
  /** Made when missing. */
  readonly logsDirectory: string;
  readonly stack: string;
}

/**
 * Appends a report as one JSON line to `health-<stack>-YYYY-MM.log`, with disk use and server version (S9).
 *
 * @returns path of the log.
 */
export async function appendHealthLog(context: HealthLogContext, report: HealthReport): Promise<string> {
  await mkdir(context.logsDirectory, { recursive: true, mode: 0o700 });
  const path = join(context.logsDirectory, healthLogName(context.stack, report.at));
  // JSON leaves out what is undefined; a reader of the log wants the field to be there.
  const line = { ...report, serverVersion: report.serverVersion ?? null, disk: report.disk ?? null };
  await appendFile(path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  return path;
}

/** Name of the log of the month in which the report was made. */
export function healthLogName(stack: string, at: string): string {
  return `health-${stack}-${at.slice(0, 7)}.log`;
}

/** The last logged report; undefined when there is none, or its line is not whole. */
export async function lastHealthReport({
  logsDirectory,
  stack,
}: HealthLogContext): Promise<HealthReport | undefined> {
  const prefix = `health-${stack}-`;
  const names = await readdir(logsDirectory).catch(() => []);
  const newest = names
    .filter((name) => name.startsWith(prefix) && /^\d{4}-\d{2}\.log$/.test(name.slice(prefix.length)))
    .sort()
    .at(-1);
  if (newest === undefined) return undefined;
  const { lastLine } = await readTail(join(logsDirectory, newest));
  try {
    return lastLine === undefined ? undefined : (JSON.parse(lastLine.toString("utf8")) as HealthReport);
  } catch {
    return undefined;
  }
}
