import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { onSaying } from "../support/project.ts";
import { expectRestoreEnded } from "../support/restore-ended.ts";
import { rounds } from "../support/rounds.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { STAGES } from "../support/sequences/step.ts";

let stack: LiveStack;
let full: BackupEntry;
let round = 0;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true });
  await stack.write("CREATE TABLE public.rounds (n int PRIMARY KEY);");
  const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", { kind: "full", waitSeconds: 60 });
  if (entry === undefined) throw new Error("no backup was taken");
  full = entry;
});

afterAll(() => stack?.project.remove());

/** Starts a restore to the empty table, and does something as soon as it tells of a step. */
async function restoreUntil(stage: string, then: (kill: () => void) => unknown) {
  return stack.project.pgstack(["restore", full.id, "--yes"], onSaying(stage, then));
}

describe("F22 a restore that is cut off", () => {
  test.each(STAGES)(
    "F22 pgstack is killed while %s: the next run ends it in one whole state, and says which",
    async (stage) => {
      round += 1;
      await stack.write(`INSERT INTO public.rounds VALUES (${round});`);
      const before = await rounds(stack);
      const killed = await restoreUntil(stage, (kill) => kill());
      expect(killed.code).toBe(-1);
      await expectRestoreEnded(stack, before);
    },
  );

  test.each([
    ["the restorer's container", "replaying the write-ahead log", "-restore"],
    ["the agent's container", "replaying the write-ahead log", "-agent"],
    ["the server's container", "starting the restored server", ""],
  ])("F22 %s is killed: the next run ends it in one whole state", async (_which, stage, suffix) => {
    round += 1;
    await stack.write(`INSERT INTO public.rounds VALUES (${round});`);
    const before = await rounds(stack);
    const container = dockerEngine().getContainer(`${stack.target.container}${suffix}`);
    const ended = await restoreUntil(stage, () => container.kill().catch(() => {}));
    if (suffix === "-agent") await container.start();
    // With the server killed the restore may have come to its end or not: both are whole.
    if (ended.code === 0) {
      expect(await rounds(stack)).toEqual([]);
      return;
    }
    expect(ended.stderr).toContain("pgstack: ");
    await expectRestoreEnded(stack, before);
  });
});
