import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { onSaying } from "../support/project.ts";
import { expectRestoreEnded } from "../support/restore-ended.ts";
import { rounds } from "../support/rounds.ts";
import { SecondEngine } from "../support/second-engine.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { STAGES } from "../support/sequences/step.ts";

const shared = process.env.DOCKER_HOST;
let engine: SecondEngine;
let stack: LiveStack;
let full: BackupEntry;
let round = 0;

beforeAll(async () => {
  engine = await SecondEngine.start();
  // Everything below, the project's own programs too, talks to this engine.
  process.env.DOCKER_HOST = engine.host;
  stack = await LiveStack.bringUp({ backup: true });
  await stack.write("CREATE TABLE public.rounds (n int PRIMARY KEY);");
  const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", { kind: "full", waitSeconds: 60 });
  if (entry === undefined) throw new Error("no backup was taken");
  full = entry;
}, 300_000);

afterAll(async () => {
  await stack?.project.remove().catch(() => {});
  await engine?.remove();
  if (shared === undefined) delete process.env.DOCKER_HOST;
  else process.env.DOCKER_HOST = shared;
});

async function running(suffix: string): Promise<boolean> {
  const container = await findContainer(dockerEngine(engine.host), `${stack.target.container}${suffix}`);
  return container?.State.Running === true && !container.State.Restarting;
}

describe("F22 the engine is killed during a restore", () => {
  test.each(STAGES)(
    "F22 while %s: the next run ends it in one whole state, and says which",
    { timeout: 300_000 },
    async (stage) => {
      round += 1;
      await stack.write(`INSERT INTO public.rounds VALUES (${round});`);
      const before = await rounds(stack);
      const ended = await stack.project.pgstack(
        ["restore", full.id, "--yes"],
        onSaying(stage, () => engine.kill()),
      );
      expect(ended.code, ended.output).not.toBe(-1);
      await engine.startAgain();
      await expect.poll(() => running("-agent"), { timeout: 60_000, interval: 500 }).toBe(true);
      if (ended.code === 0) expect(await rounds(stack)).toEqual([]);
      else await expectRestoreEnded(stack, before);
    },
  );
});
