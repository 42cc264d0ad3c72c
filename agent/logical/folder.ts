import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { BackupEntry } from "../entry.ts";
import { isCode } from "../failure.ts";
import type { Finding } from "../verification/findings.ts";
import type { TableContent } from "../verification/tables.ts";

/** One file of a logical backup. */
export interface DumpFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a logical backup's folder says about it: written last, so that a folder without is no backup. */
export interface LogicalManifest {
  readonly format: 1;
  readonly entry: BackupEntry;
  readonly database: string;
  readonly files: readonly DumpFile[];
  /** What the tables held in the moment of the dump. */
  readonly tables: readonly TableContent[];
  /** What was odd in the database in the moment of the dump. Absent: an older backup, which was not looked at. */
  readonly findings?: readonly Finding[];
  /** Identifiers of routines that only a superuser can make. Absent: an older backup. */
  readonly privilegedRoutines?: readonly string[];
}

export const MANIFEST_FILE = "backup.json";
const UNFINISHED = ".unfinished-";

/** Folder of the logical backups. */
export function logicalDirectory({ backupDirectory }: Pick<AgentConfiguration, "backupDirectory">): string {
  return join(backupDirectory, "logical");
}

/** Where a backup is made before it is one. */
export function unfinishedDirectory(
  { backupDirectory }: Pick<AgentConfiguration, "backupDirectory">,
  id: string,
): string {
  return join(backupDirectory, `${UNFINISHED}${id}`);
}

/** A name for a new backup that sorts by time. */
export function newIdentifier(now: Date): string {
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `${stamp}-${randomBytes(2).toString("hex")}`;
}

/** Removes what killed backups left. Only under the lock: one at work has such a folder too. */
export async function sweepUnfinished({
  backupDirectory,
}: Pick<AgentConfiguration, "backupDirectory">): Promise<void> {
  for (const name of await readdir(backupDirectory)) {
    if (name.startsWith(UNFINISHED)) await rm(join(backupDirectory, name), { recursive: true, force: true });
  }
}

/** The manifest of one backup. @throws Error when it is not there or not readable. */
export async function readManifest(
  configuration: Pick<AgentConfiguration, "backupDirectory">,
  id: string,
): Promise<LogicalManifest> {
  const text = await readFile(join(logicalDirectory(configuration), id, MANIFEST_FILE), "utf8");
  return JSON.parse(text) as LogicalManifest;
}

/** The logical backups by their folders alone, the oldest first. */
export async function logicalEntries(
  configuration: Pick<AgentConfiguration, "backupDirectory">,
): Promise<BackupEntry[]> {
  const folder = logicalDirectory(configuration);
  const names = await readdir(folder).catch((error: unknown) => {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  });
  const entries: BackupEntry[] = [];
  for (const name of names.sort()) {
    if (!existsSync(join(folder, name, MANIFEST_FILE))) continue;
    entries.push(await entryOf(configuration, name));
  }
  return entries;
}

/** A manifest that cannot be read is a backup that is not good, and no reason to hide the others. */
async function entryOf(
  configuration: Pick<AgentConfiguration, "backupDirectory">,
  id: string,
): Promise<BackupEntry> {
  try {
    return (await readManifest(configuration, id)).entry;
  } catch (error) {
    const at = new Date(0).toISOString();
    return {
      ...{ id, kind: "logical", startedAt: at, finishedAt: at, bytes: 0 },
      ...{ serverVersion: "unknown", systemIdentifier: "unknown", repositories: ["local"], encrypted: false },
      verification: {
        form: "read back",
        at,
        result: "failed",
        message: `${MANIFEST_FILE}: ${String(error)}`,
      },
    };
  }
}
