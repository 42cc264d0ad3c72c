import { expect } from "vitest";
import { callAgent } from "../../operations/agent.ts";
import { rounds } from "./rounds.ts";
import type { LiveStack } from "./security/live-stack.ts";

/** Ends a restore to the empty table that was cut off, and expects the state before or the restored one, nothing between. */
export async function expectRestoreEnded(stack: LiveStack, before: readonly number[]): Promise<void> {
  const journal = await callAgent(stack.target, "restore-journal");
  const resumed = await stack.project.pgstack(["restore", "--resume"]);
  expect(resumed.code, resumed.output).toBe(0);
  const restored = /is finished: the restored database is in use/.test(resumed.stdout);
  // The agent hears that whoever called it is gone, and may have cleared its work away before anyone asks.
  const cleared = resumed.stdout === "No restore was interrupted.\n";
  if (journal === null) expect(cleared, resumed.stdout).toBe(true);
  if (!restored && !cleared) expect(resumed.stdout).toMatch(/is undone: the database is as it was before it/);
  const up = await stack.project.up();
  expect(up.code, up.output).toBe(0);
  expect(await rounds(stack)).toEqual(restored ? [] : before);
  expect(await callAgent(stack.target, "restore-journal")).toBeNull();
  const health = await stack.project.pgstack(["health", "--full"]);
  expect(health.code, health.output).toBe(0);
  const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
}
