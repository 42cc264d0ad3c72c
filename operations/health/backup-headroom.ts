import { agentContainer } from "../agent.ts";
import { BACKUP_DIRECTORY } from "../container-directories.ts";
import { dockerEngine, findContainer } from "../docker.ts";
import { executeInContainer } from "../execute.ts";
import type { Target } from "../target.ts";
import { errorLine } from "../user-error.ts";
import { withinTime } from "../within-time.ts";
import type { HealthCheck } from "./check.ts";
import { describeRoom, isUnder, parseDf } from "./disk-headroom.ts";
import type { DiskUse, Finding } from "./report.ts";
import type { HealthThresholds } from "./thresholds.ts";

/** Less than a segment of the write-ahead log: the next one may find no room. */
const FULL_BYTES = 16 * 1024 ** 2;
/** Part of the check's time that a disk which hangs may take, so that the check itself can still tell. */
const OWN_PART = 0.8;

/**
 * Room where the backups and the archive are, on the agent's file system. Value: free bytes. It only warns: the server works
 * without, and a load balancer that asks is to leave it alone; what then is not archived or backed up fails by its own check.
 */
export const backupHeadroom: HealthCheck = {
  name: "backup headroom",
  quick: true,
  async run({ backup, target, thresholds, timeoutMilliseconds }) {
    if (backup === undefined) return { status: "not applicable", message: "no backups are scheduled" };
    const container = agentContainer(target.container);
    const found = await findContainer(dockerEngine(target.dockerHost), container);
    if (found?.State.Running !== true || found.State.Paused) {
      const state = found === undefined ? "missing" : found.State.Status;
      return { status: "not applicable", message: `not checked: container ${container} is ${state}` };
    }
    try {
      const use = await withinTime(roomOf({ ...target, container }), timeoutMilliseconds * OWN_PART, "df");
      return evaluateBackupRoom(use, thresholds);
    } catch (error) {
      return { status: "warning", message: `the backup place cannot be looked at: ${errorLine(error)}` };
    }
  },
};

async function roomOf(agent: Target): Promise<DiskUse> {
  const { exitCode, stdout, stderr } = await executeInContainer(agent, {
    command: ["df", "-P", "-k", BACKUP_DIRECTORY],
  });
  if (exitCode !== 0) throw new Error(`df ended with code ${exitCode}: ${stderr.trim()}`);
  return parseDf(stdout);
}

/** Judges the room that backups have. */
export function evaluateBackupRoom(use: DiskUse, { disk }: Pick<HealthThresholds, "disk">): Finding {
  const value = use.freeBytes;
  const room = describeRoom(use);
  if (use.freeBytes < FULL_BYTES) {
    const message = `${room}: the backup place is full, nothing is archived or backed up, and the log stays on the data volume: make room there`;
    return { status: "warning", message, value };
  }
  if (!isUnder(use, disk.warn)) return { status: "ok", message: room, value };
  return {
    status: "warning",
    message: `${room}: make room in the backup place before the archive stops`,
    value,
  };
}
