import { formatBytes } from "../preflight/format-bytes.ts";
import type { HealthCheck } from "./check.ts";
import { type DiskUse, type Finding, worstStatus } from "./report.ts";
import type { HealthThresholds, RoomLimit } from "./thresholds.ts";

/** Room on the file system of the data directory. Value: free bytes. */
export const diskHeadroom: HealthCheck = {
  name: "disk headroom",
  quick: true,
  async run({ inside, thresholds, facts }) {
    const { df, ballastUsed } = await inside();
    const { exitCode, output, complaint } = df;
    if (exitCode !== 0) throw new Error(`df ended with code ${exitCode}: ${complaint}`);
    const use = parseDf(output);
    facts.disk = use;
    const finding = evaluateDisk(use, thresholds);
    if (!ballastUsed) return finding;
    const message = `${finding.message}; the room held back is used up: make room, then pgstack restart holds it back again`;
    return { ...finding, status: worstStatus([finding, { status: "warning" }]), message };
  },
};

/** Reads the POSIX output of `df -P -k`, whose sizes are kilobytes. */
export function parseDf(output: string): DiskUse {
  // A device's name may hold spaces, so the numbers are found from the percent sign backwards.
  const numbers = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s/.exec(output.trim().split("\n").at(-1) ?? "");
  const [total, used, free] = (numbers ?? []).slice(1).map((part) => Number(part) * 1024);
  if (total === undefined || used === undefined || free === undefined) {
    throw new Error(`df printed no sizes: ${output.trim().slice(0, 200)}`);
  }
  return { totalBytes: total, usedBytes: used, freeBytes: free };
}

/** Judges the room that is left. */
export function evaluateDisk(use: DiskUse, { disk }: Pick<HealthThresholds, "disk">): Finding {
  const room = describeRoom(use);
  if (isUnder(use, disk.fail)) {
    return { status: "failed", message: `${room}: make room before the server stops`, value: use.freeBytes };
  }
  return { status: isUnder(use, disk.warn) ? "warning" : "ok", message: room, value: use.freeBytes };
}

/** Whether less is left than a limit says, both of the whole and in bytes. */
export function isUnder(use: DiskUse, limit: RoomLimit): boolean {
  return freeFraction(use) < limit.freeFraction && use.freeBytes < limit.freeBytes;
}

/** The room that is left, in words. */
export function describeRoom(use: DiskUse): string {
  const percent = Math.floor(freeFraction(use) * 100);
  return `${formatBytes(use.freeBytes)} of ${formatBytes(use.totalBytes)} free (${percent} %)`;
}

function freeFraction({ totalBytes, freeBytes }: DiskUse): number {
  return totalBytes === 0 ? 0 : freeBytes / totalBytes;
}
