import { setTimeout as delay } from "node:timers/promises";
import type { Target } from "../../operations/target.ts";
import { agentOf, archivedSegments, processorSeconds } from "./containers.ts";

const SECONDS = 120;

/** The last transactions of a first backup are in a segment that is closed within a minute. */
const QUIET_MILLISECONDS = 75_000;

async function untilQuiet(agent: Target): Promise<void> {
  let segments = await archivedSegments(agent);
  for (let since = performance.now(); performance.now() - since < QUIET_MILLISECONDS; ) {
    await delay(5_000);
    const now = await archivedSegments(agent);
    if (now !== segments) since = performance.now();
    segments = now;
  }
}

/** What a stack costs that nobody uses. */
export async function measureIdle(target: Target): Promise<string[]> {
  const agent = agentOf(target);
  const look = async () => [
    ...(await Promise.all([processorSeconds(target), processorSeconds(agent)])),
    await archivedSegments(agent),
  ];
  await untilQuiet(agent);
  const before = await look();
  const started = performance.now();
  await delay(SECONDS * 1_000);
  const seconds = (performance.now() - started) / 1_000;
  const after = await look();
  const [server = 0, sidecar = 0, segments = 0] = after.map((value, index) => value - (before[index] ?? 0));
  const percent = (used: number) => `${((100 * used) / seconds).toFixed(2)} % of a core`;
  return [
    `idle for ${SECONDS} s: server ${percent(server)}, agent ${percent(sidecar)}, ${segments} segments archived (aim: 0.7 % each, no segment)`,
  ];
}
