import { expect } from "vitest";
import type { AgentStatus } from "../../agent/status.ts";
import { callAgent } from "../../operations/agent.ts";
import type { Target } from "../../operations/target.ts";

/** A new stack backs itself up at once: waits until that is over, so that it is in nobody's way. */
export async function untilFirstBackup(target: Target): Promise<void> {
  await expect
    .poll(async () => (await callAgent<AgentStatus>(target, "status")).lastRuns, { timeout: 120_000 })
    .toEqual([expect.objectContaining({ task: "backup", result: "ok" })]);
}
