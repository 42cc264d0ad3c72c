import { setTimeout as delay } from "node:timers/promises";
import { SEGMENT_BYTES } from "../../agent/physical/segments.ts";
import type { Target } from "../../operations/target.ts";
import { shell } from "../pgbench.ts";
import { agentOf, archivedSegments, logBytes, writtenBytes } from "./containers.ts";

const SCALE = 10;
const RATES = [
  { perSecond: 1, seconds: 600 },
  { perSecond: 10, seconds: 120 },
  { perSecond: 100, seconds: 60 },
] as const;
const HOUR_SECONDS = 3_600;
/** What is committed is in the backup folder by then. */
const SETTLE_MILLISECONDS = 5_000;

/** What one run has written. */
interface Run {
  readonly transactions: number;
  readonly bytes: number;
  /** Those of them that the server has written. */
  readonly server: number;
  readonly log: number;
  readonly segments: number;
}

/** Bytes written for a transaction by the stack and by the same one without backups, at the same time under the same load. */
export async function measureBytes(backedUp: Target, plain: Target): Promise<string[]> {
  await Promise.all(
    [backedUp, plain].map((target) =>
      shell(target, `pgbench -i -q -s ${SCALE} app && psql -qc "VACUUM (FREEZE, ANALYZE)" app`),
    ),
  );
  const stored = await storedPerSegment(backedUp);
  const lines = [
    `bytes written for a transaction (pgbench simple update, scale ${SCALE}), this stack and without backups:`,
  ];
  for (const { perSecond, seconds } of RATES) {
    const [ours, theirs] = await Promise.all([
      run(backedUp, [backedUp, agentOf(backedUp)], perSecond, seconds),
      run(plain, [plain], perSecond, seconds),
    ]);
    // Log that has not filled its segment in the run fills it later: it is stored once more, compressed.
    const pending = Math.max(0, ours.log - ours.segments * SEGMENT_BYTES);
    const later = (pending / SEGMENT_BYTES) * stored;
    const each = [(ours.bytes + later) / ours.transactions, theirs.bytes / theirs.transactions] as const;
    lines.push(
      `${String(perSecond).padStart(5)} a second for ${seconds} s: ${kilobytes(each[0])}, ${kilobytes(each[1])}, ${(each[0] / each[1]).toFixed(2)} times${perSecond === 1 ? " (aim: 1.3)" : ""}; ${kilobytes(ours.server / ours.transactions)} by the server, ${kilobytes(ours.log / ours.transactions)} of log; ${ours.segments} segments archived, ${kilobytes(later)} of the rest to come`,
    );
  }
  lines.push(
    `  the hour at 1 a second is ${HOUR_SECONDS / RATES[0].seconds} such runs: each has two checkpoints, as checkpoint_timeout has it; a full segment is stored in ${kilobytes(stored)}`,
  );
  return lines;
}

async function run(
  target: Target,
  containers: readonly Target[],
  perSecond: number,
  seconds: number,
): Promise<Run> {
  const agent = containers[1];
  const look = async () => ({
    bytes: (await Promise.all(containers.map(writtenBytes))).reduce((sum, bytes) => sum + bytes, 0),
    server: await writtenBytes(target),
    log: await logBytes(target),
    segments: agent === undefined ? 0 : await archivedSegments(agent),
  });
  await settle(target);
  const before = await look();
  const said = await shell(target, `pgbench -n -N -c 1 -R ${perSecond} -T ${seconds} app 2>&1`);
  await settle(target);
  const after = await look();
  const transactions = Number(/actually processed: (\d+)/.exec(said)?.[1]);
  return {
    transactions,
    bytes: after.bytes - before.bytes,
    server: after.server - before.server,
    log: after.log - before.log,
    segments: after.segments - before.segments,
  };
}

async function settle(target: Target): Promise<void> {
  await shell(target, "psql -c CHECKPOINT app");
  await delay(SETTLE_MILLISECONDS);
}

/** What a full segment takes in the archive, of those that filled while the tables did. */
async function storedPerSegment(target: Target): Promise<number> {
  const script = `find /backups/pgbackrest/archive -name '0*-*' -exec stat -c %s {} + | awk '{ sum += $1 } END { printf "%d", sum / NR }'`;
  return Number(await shell(agentOf(target), script));
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} kB`;
}
