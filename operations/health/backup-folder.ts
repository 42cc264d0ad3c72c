import type { AgentConfiguration } from "../../agent/configuration.ts";
import type { DrillResult } from "../../agent/drill.ts";
import { type FolderIdentity, IDENTITY_FILE } from "../../agent/identity.ts";
import type { Lineage, OwedBackup } from "../../agent/lineage/record.ts";
import type { ScheduleState } from "../../agent/schedule/state.ts";
import { PROTECTION_FILE } from "../../agent/storage/look.ts";
import type { Protection, ProtectionState } from "../../agent/storage/protection.ts";
import { agentContainer } from "../agent.ts";
import { ARCHIVE_QUEUE, BACKUP_FILES } from "../backup-files.ts";
import { ContainerNotRunning, executeInContainer } from "../execute.ts";
import { CONFIGURATION_DIRECTORY } from "../postgresql-conf.ts";
import type { Target } from "../target.ts";

/** Name of the option of `pgstack backups` that gives up what a lost folder held. */
export const REPLACE_LOST = "--replace-lost";
/** Stands for the id of a folder that is not known. */
export const UNKNOWN_FOLDER = "unknown";

/** What is written in the backup folder, as the agent's container sees it: the server has none of it. */
export interface BackupFolder {
  /** The folder's own id; undefined before the first backup. */
  readonly id: string | undefined;
  /** Id of the folder in whose place it was put by command. */
  readonly replaces: string | undefined;
  /** Content of metadata.json; undefined when it is not there or not readable. */
  readonly metadata: unknown;
  readonly drill: DrillResult | undefined;
  /** A full backup that a restore has left owed. */
  readonly owed: OwedBackup | undefined;
  /** When the last scheduled backup failed, where none has succeeded since. */
  readonly failedAt: string | undefined;
  /** What the object storage is to be protected by, and how the agent found it last; undefined: nothing, and never. */
  readonly protection: {
    readonly wanted: Protection | undefined;
    readonly found: ProtectionState | undefined;
  };
  /** How old the cluster is. */
  readonly clusterSeconds: number;
  /** Segments that the object storage has not taken yet, and seconds that the first of them waits. */
  readonly queue: { readonly waiting: number; readonly oldestSeconds: number };
}

const FILES = [
  IDENTITY_FILE,
  "metadata.json",
  "state/last-drill.json",
  "state/lineage.json",
  "state/schedule.json",
  PROTECTION_FILE,
  `${CONFIGURATION_DIRECTORY}/${BACKUP_FILES.agent}`,
];
const SCRIPT = `cd /backups || exit 3
for file; do cat -- "$file" 2>/dev/null; printf '\\0'; done
cluster=$(sed -n 's/^ *"dataDirectory": "\\(.*\\)",$/\\1/p' ${CONFIGURATION_DIRECTORY}/${BACKUP_FILES.agent})
echo "$(($(date +%s) - $(stat -c %Y "$cluster/PG_VERSION" 2>/dev/null || echo 0)))"
printf '\\0'
set -- ${ARCHIVE_QUEUE}/*
[ ! -e "$1" ] || echo "$# $(($(date +%s) - $(stat -c %Y "$1")))"`;

/** The agent does not run, which alone has the backups: whether it should is told by the check of the agent. */
export class NoAgent extends Error {
  override readonly name = "NoAgent";
}

/** Reads all of it by one execution. @throws NoAgent, or Error when the folder cannot be seen. */
export async function readBackupFolder(target: Target, timeoutMilliseconds = 10_000): Promise<BackupFolder> {
  const agent = { ...target, container: agentContainer(target.container) };
  const { exitCode, stdout, stderr } = await executeInContainer(agent, {
    command: ["sh", "-c", SCRIPT, "backups", ...FILES],
    timeoutMilliseconds,
  }).catch((error: unknown) => {
    if (!(error instanceof ContainerNotRunning)) throw error;
    throw new NoAgent("the agent does not run", { cause: error });
  });
  if (exitCode !== 0)
    throw new Error(`the backup folder cannot be seen: ${stderr.trim() || `code ${exitCode}`}`);
  const [identity, metadata, drill, lineage, schedule, protection, configuration, age = "", queue = ""] =
    stdout.split("\0");
  const [waiting = 0, oldestSeconds = 0] = queue.trim().split(" ").map(Number);
  const { id, replaces } = (parsed(identity) ?? {}) as Partial<FolderIdentity>;
  return {
    ...{ id, replaces },
    metadata: parsed(metadata),
    drill: parsed(drill) as DrillResult | undefined,
    owed: (parsed(lineage) as Partial<Lineage> | null | undefined)?.owed,
    failedAt: (parsed(schedule) as ScheduleState | null | undefined)?.backup?.failedAt,
    protection: {
      wanted: (parsed(configuration) as Partial<AgentConfiguration> | undefined)?.physical?.protection,
      found: parsed(protection) as ProtectionState | undefined,
    },
    clusterSeconds: Number(age),
    queue: { waiting, oldestSeconds },
  };
}

/**
 * Why the folder is not the one that the stack had, in a sentence: an empty one must not pass for it. Undefined: it is, or it was
 * put in its place by command.
 *
 * @param before The id that it had; undefined or empty: it is not known.
 */
export function otherFolder(
  before: string | undefined,
  { id, replaces = "" }: { readonly id?: string | undefined; readonly replaces?: string | undefined },
): string | undefined {
  if (before === undefined || before === "" || id === before || [before, UNKNOWN_FOLDER].includes(replaces))
    return undefined;
  return `the backup folder is another one than before (${id ?? "an empty one"} instead of ${before}): mount the right one, or give up what that held by pgstack backups ${REPLACE_LOST} and pulumi up`;
}

function parsed(text = ""): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
