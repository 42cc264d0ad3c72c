import type { DrillResult } from "../../agent/drill.ts";
import { executeInContainer } from "../execute.ts";
import type { Target } from "../target.ts";

/** What is written in the backup folder, as the server's container sees it. */
export interface BackupFolder {
  /** The folder's own id; undefined before the first backup. */
  readonly id: string | undefined;
  /** Content of metadata.json; undefined when it is not there or not readable. */
  readonly metadata: unknown;
  readonly drill: DrillResult | undefined;
}

const FILES = ["pgstack-backups.json", "metadata.json", "state/last-drill.json"];
const SCRIPT = `cd /backups || exit 3
for file; do cat -- "$file" 2>/dev/null; printf '\\0'; done`;

/** Reads all of it by one execution. @throws Error when the folder cannot be seen. */
export async function readBackupFolder(target: Target, timeoutMilliseconds: number): Promise<BackupFolder> {
  const { exitCode, stdout, stderr } = await executeInContainer(target, {
    command: ["sh", "-c", SCRIPT, "backups", ...FILES],
    timeoutMilliseconds,
  });
  if (exitCode !== 0)
    throw new Error(`the backup folder cannot be seen: ${stderr.trim() || `code ${exitCode}`}`);
  const [identity, metadata, drill] = stdout.split("\0").map(parsed);
  return {
    id: (identity as { id?: string } | undefined)?.id,
    metadata,
    drill: drill as DrillResult | undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
