import { setTimeout as delay } from "node:timers/promises";
import type { AgentStatus } from "../../agent/status.ts";
import { callAgent } from "../../operations/agent.ts";
import type { Target } from "../../operations/target.ts";

const LONGEST_MILLISECONDS = 120_000;
const POLL_MILLISECONDS = 200;

/** A new stack backs itself up at once: waits until that is over, so that it is in nobody's way. */
export async function untilFirstBackup(target: Target): Promise<void> {
  const deadline = performance.now() + LONGEST_MILLISECONDS;
  for (;;) {
    const { lastRuns } = await callAgent<AgentStatus>(target, "status");
    const [first] = lastRuns;
    if (first?.result === "ok") return;
    if (first !== undefined) throw new Error(`the first backup failed: ${first.message}`);
    if (performance.now() > deadline) throw new Error("the stack has not backed itself up");
    await delay(POLL_MILLISECONDS);
  }
}
