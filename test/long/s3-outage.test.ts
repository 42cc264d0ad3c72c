import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DrillResult } from "../../agent/drill.ts";
import type { AgentStatus } from "../../agent/status.ts";
import { callAgent } from "../../operations/agent.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import type { S3Server } from "../support/s3/server.ts";
import { archived, bringUpWithStorage } from "../support/s3/stack.ts";
import type { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;
let storage: S3Server;

beforeAll(async () => {
  ({ stack, storage } = await bringUpWithStorage());
  await stack.write("CREATE TABLE public.notes (n int, text text);");
});

afterAll(() => stack?.project.remove());

describe("F26 the object storage is away", { timeout: 900_000 }, () => {
  test("F26 the storage is away while clients write: they go on, health tells, and the archive catches up", async () => {
    await storage.stop();
    await stack.write(
      "INSERT INTO public.notes SELECT n, 'while it is away' FROM generate_series(1, 200000) n;",
    );
    await runAsSuperuser(stack.target, "SELECT pg_switch_wal();");
    await expect
      .poll(() => stack.checkStatus("archive lag"), { timeout: 240_000, interval: 2_000 })
      .not.toBe("ok");
    expect(await stack.value("(SELECT count(*) FROM public.notes)")).toBe("200000");
    // The local repository goes on meanwhile.
    const local = "SELECT count(*)::int AS n FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";
    await expect
      .poll(async () => (await queryAsSuperuser<{ n: number }>(stack.target, local))[0]?.n, {
        timeout: 120_000,
      })
      .toBe(0);
    expect((await callAgent<AgentStatus>(stack.target, "status")).queue.waiting).toBeGreaterThan(0);
    // And everything can be restored from it.
    expect(await callAgent<DrillResult>(stack.target, "drill", { waitSeconds: 60 })).toMatchObject({
      result: "ok",
    });
    await storage.startAgain();
    await expect.poll(() => archived(stack), { timeout: 240_000, interval: 1_000 }).toBe(true);
    await expect
      .poll(() => stack.checkStatus("archive lag"), { timeout: 60_000, interval: 2_000 })
      .toBe("ok");
  });
});
