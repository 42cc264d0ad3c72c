import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backups } from "../../agent/metadata.ts";
import type { AgentStatus } from "../../agent/status.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import type { HealthReport } from "../../operations/health.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const IDLE_CLIENTS = 100;
/** 57P01, admin_shutdown: https://www.postgresql.org/docs/16/errcodes-appendix.html */
const TOLD = "57P01";

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true, maxConnections: 150 });
  await untilFirstBackup(stack.target);
  await runAsSuperuser(stack.target, "CREATE TABLE public.kept AS SELECT 1 AS n;", {
    ...{ database: "app", role: "administrator" },
  });
});

afterAll(() => stack?.project.remove());

describe("F31 L8 stop and start", () => {
  test("F31 with a long transaction and 100 idle clients: all are told, it ends in order, and nothing has to be recovered", async () => {
    const clients = await Promise.all(
      Array.from({ length: IDLE_CLIENTS }, () => stack.session("application")),
    );
    const writer = await stack.session("administrator");
    const told = clients.map(reasonOfEnd);
    await writer.query("BEGIN; INSERT INTO public.kept VALUES (2);");
    const sleeping = writer.query("SELECT pg_sleep(600)").catch((error: { code?: string }) => error.code);

    const started = performance.now();
    const stopped = await stack.project.pgstack(["shutdown", "--no-backup"]);
    expect(stopped.code, stopped.output).toBe(0);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(await sleeping).toBe(TOLD);
    expect(new Set(await Promise.all(told))).toEqual(new Set([TOLD]));

    const begun = await stack.project.pgstack(["start"]);
    expect(begun.code, begun.output).toBe(0);
    expect(
      await queryAsSuperuser(stack.target, "SELECT n FROM public.kept ORDER BY n", { database: "app" }),
    ).toEqual([{ n: 1 }]);
    const log = await stack.serverLog();
    expect(log).toContain("database system was shut down at");
    expect(log).not.toContain("was not properly shut down");
  });
});

describe("F30 L3 a host that was off", () => {
  test("F30 for three days at backup time: one run makes up for all three", async () => {
    const container = `${stack.target.container}-agent`;
    const agent = dockerEngine().getContainer(container);
    const state = { backup: { last: new Date(Date.now() - 3 * 86_400_000).toISOString() } };
    await expect.poll(dumps, { timeout: 60_000 }).toBe(1);
    // The agent writes its own state when a run has ended.
    await expect
      .poll(() => inAgent("cat /backups/state/schedule.json"), { timeout: 60_000 })
      .toContain("last");
    await inAgent(`printf %s '${JSON.stringify(state)}' > /backups/state/schedule.json`);
    await agent.restart();
    await expect.poll(dumps, { timeout: 60_000 }).toBe(2);
    await expect
      .poll(() => inAgent("cat /backups/state/schedule.json"), { timeout: 60_000 })
      .toContain(new Date().toISOString().slice(0, 10));
    const { lastRuns } = await callAgent<AgentStatus>(stack.target, "status");
    expect(lastRuns.map(({ task, result }) => [task, result])).toEqual([
      ["backup", "ok"],
      ["backup", "ok"],
    ]);

    async function inAgent(script: string): Promise<string> {
      const { stdout: printed } = await executeInContainer(
        { ...stack.target, container },
        { command: ["sh", "-c", script] },
      );
      return printed;
    }
  });

  async function dumps(): Promise<number> {
    const { entries } = await callAgent<Backups>(stack.target, "list");
    return entries.filter(({ kind }) => kind === "logical").length;
  }
});

describe("what was stopped or killed by hand", () => {
  test("a server that has stopped is started by restart, and its shut-down is no failure", async () => {
    const killed = dockerEngine().getContainer(stack.target.container);
    await killed.kill();
    const restarted = await stack.project.pgstack(["restart"]);
    expect(restarted.code, restarted.output).toBe(0);
    expect(restarted.output).toContain("the server did not end gracefully (exit code 137): it recovers");
    expect((await stack.project.pgstack(["shutdown", "--no-backup"])).code).toBe(0);
    const again = await stack.project.pgstack(["shutdown"]);
    expect(again.code, again.output).toBe(0);
    expect(again.stdout).toContain("had stopped already");
    const begun = await stack.project.pgstack(["restart"]);
    expect(begun.code, begun.output).toBe(0);
    expect(begun.stdout).toContain("was restarted and is healthy");
  });

  test("an agent that was killed or is frozen fails the health check at once, and start brings it back", async () => {
    const agent = dockerEngine().getContainer(`${stack.target.container}-agent`);
    const found = async () => {
      const ended = await stack.project.pgstack(["health", "--full", "--json"]);
      const { checks } = JSON.parse(ended.stdout) as HealthReport;
      return { code: ended.code, ...checks.find(({ name }) => name === "agent") };
    };
    expect(await found()).toMatchObject({ code: 0, status: "ok" });
    await agent.pause();
    expect(await found()).toMatchObject({ status: "failed", message: expect.stringContaining("is paused") });
    await agent.unpause();
    await agent.kill();
    const killed = await found();
    expect(killed).toMatchObject({ status: "failed", message: expect.stringContaining("is exited") });
    expect(killed.code).not.toBe(0);
    expect((await stack.project.pgstack(["start"])).code).toBe(0);
    expect(await found()).toMatchObject({ status: "ok" });
  });
});

/** The code that a client is told before its connection ends. */
function reasonOfEnd(client: Client): Promise<string> {
  return new Promise((resolve) => {
    client.on("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message));
  });
}
