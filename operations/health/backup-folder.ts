import type { DrillResult } from "../../agent/drill.ts";
import type { Lineage, OwedBackup } from "../../agent/lineage/record.ts";
import type { ScheduleState } from "../../agent/schedule/state.ts";
import { ARCHIVE_QUEUE } from "../backup-files.ts";
import { executeInContainer } from "../execute.ts";
import type { Target } from "../target.ts";

/** What is written in the backup folder, as the server's container sees it. */
export interface BackupFolder {
  /** The folder's own id; undefined before the first backup. */
  readonly id: string | undefined;
  /** Content of metadata.json; undefined when it is not there or not readable. */
  readonly metadata: unknown;
  readonly drill: DrillResult | undefined;
  /** A full backup that a restore has left owed. */
  readonly owed: OwedBackup | undefined;
  /** When the last scheduled backup failed, where none has succeeded since. */
  readonly failedAt: string | undefined;
  /** How old the cluster is. */
  readonly clusterSeconds: number;
  /** Segments that the object storage has not taken yet, and seconds that the first of them waits. */
  readonly queue: { readonly waiting: number; readonly oldestSeconds: number };
}

const FILES = [
  "pgstack-backups.json",
  "metadata.json",
  "state/last-drill.json",
  "state/lineage.json",
  "state/schedule.json",
];
const SCRIPT = `cd /backups || exit 3
for file; do cat -- "$file" 2>/dev/null; printf '\\0'; done
echo "$(($(date +%s) - $(stat -c %Y "$PGDATA/PG_VERSION" 2>/dev/null || echo 0)))"
printf '\\0'
set -- ${ARCHIVE_QUEUE}/*
[ ! -e "$1" ] || echo "$# $(($(date +%s) - $(stat -c %Y "$1")))"`;

/** Reads all of it by one execution. @throws Error when the folder cannot be seen. */
export async function readBackupFolder(target: Target, timeoutMilliseconds: number): Promise<BackupFolder> {
  const { exitCode, stdout, stderr } = await executeInContainer(target, {
    command: ["sh", "-c", SCRIPT, "backups", ...FILES],
    timeoutMilliseconds,
  });
  if (exitCode !== 0)
    throw new Error(`the backup folder cannot be seen: ${stderr.trim() || `code ${exitCode}`}`);
  const [identity, metadata, drill, lineage, schedule, age = "", queue = ""] = stdout.split("\0");
  const [waiting = 0, oldestSeconds = 0] = queue.trim().split(" ").map(Number);
  return {
    id: (parsed(identity) as { id?: string } | undefined)?.id,
    metadata: parsed(metadata),
    drill: parsed(drill) as DrillResult | undefined,
    owed: (parsed(lineage) as Partial<Lineage> | null | undefined)?.owed,
    failedAt: (parsed(schedule) as ScheduleState | null | undefined)?.backup?.failedAt,
    clusterSeconds: Number(age),
    queue: { waiting, oldestSeconds },
  };
}

function parsed(text = ""): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
