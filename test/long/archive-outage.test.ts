import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DrillResult } from "../../agent/drill.ts";
import type { AgentStatus } from "../../agent/status.ts";
import { agentContainer, callAgent } from "../../operations/agent.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { Writer } from "../support/writer.ts";

const OUTAGE_MILLISECONDS = 4 * 60_000;
const WARN_SECONDS = 20;
const FAIL_SECONDS = 90;

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp({
    backup: true,
    healthThresholds: { archiveLagWarnSeconds: WARN_SECONDS, archiveLagFailSeconds: FAIL_SECONDS },
  });
  await untilFirstBackup(stack.target);
});

afterAll(() => stack?.project.remove());

async function inAgent(script: string): Promise<void> {
  const target = { ...stack.target, container: agentContainer(stack.target.container) };
  const { exitCode, stderr } = await executeInContainer(target, { command: ["sh", "-c", script] });
  if (exitCode !== 0) throw new Error(stderr);
}

async function waiting(): Promise<number> {
  const [row] = await queryAsSuperuser<{ n: number }>(
    stack.target,
    "SELECT count(*)::int AS n FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'",
  );
  return row?.n ?? -1;
}

describe("F26 the archive cannot be written for minutes, under load", () => {
  test("F26 the server goes on, health warns early and then fails, everything is archived afterwards, without a gap", {
    timeout: 900_000,
  }, async () => {
    const writer = await Writer.start(stack, "written");
    try {
      await inAgent("chmod 0 /backups/pgbackrest/archive/main");
      const began = Date.now();
      await expect
        .poll(() => stack.checkStatus("archive lag"), {
          timeout: (WARN_SECONDS + 60) * 1_000,
          interval: 2_000,
        })
        .toBe("warning");
      expect(Date.now() - began).toBeLessThan((WARN_SECONDS + 60) * 1_000);
      await expect
        .poll(() => stack.checkStatus("archive lag"), {
          timeout: (FAIL_SECONDS + 60) * 1_000,
          interval: 2_000,
        })
        .toBe("failed");
      // Much is written meanwhile, in as many segments.
      await expect
        .poll(
          async () => {
            await writer.progress();
            await runAsSuperuser(
              stack.target,
              "CREATE TABLE IF NOT EXISTS public.bulk (t text); INSERT INTO public.bulk SELECT repeat(md5(n::text), 50) FROM generate_series(1, 5000) n; SELECT pg_switch_wal();",
              { database: "app" },
            );
            return Date.now() - began > OUTAGE_MILLISECONDS;
          },
          { timeout: OUTAGE_MILLISECONDS + 60_000, interval: 5_000 },
        )
        .toBe(true);
      expect(await waiting()).toBeGreaterThan(10);
    } finally {
      await inAgent("chmod 750 /backups/pgbackrest/archive/main");
    }
    await expect.poll(waiting, { timeout: 300_000, interval: 1_000 }).toBeLessThan(2);
    await writer.finish();
    await expect
      .poll(() => stack.checkStatus("archive lag"), { timeout: 120_000, interval: 2_000 })
      .toBe("ok");
    await callAgent(stack.target, "restore-point", { name: "after" });
    const { archive } = await callAgent<AgentStatus>(stack.target, "status");
    expect(archive?.gaps).toEqual([]);
    const drilled = await callAgent<DrillResult>(stack.target, "drill", { waitSeconds: 60 });
    expect(drilled).toMatchObject({ result: "ok" });
  });
});
