import type { ChildProcess } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../cli/preview-change/free-port.ts";
import { dockerEngine } from "../../operations/docker.ts";
import type { Ended } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { writeSql } from "../support/up.ts";
import { driftByCommand } from "./cli/drift.ts";
import { auditedDestroy, driftAndAudit } from "./cli/drift-and-audit.ts";

const SETTINGS = { initSql: ["sql/rows.sql"] };
const ROTATED = { ...SETTINGS, rotations: { application: 1 } };

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp(SETTINGS, async (project) => {
    await writeSql(project, "rows.sql", "CREATE TABLE public.rows (n int PRIMARY KEY);");
    return {};
  });
});

afterAll(() => stack?.project.remove());

async function succeeded(commandLine: readonly string[], input?: string): Promise<Ended> {
  const ended = await stack.project.pgstack(commandLine, input === undefined ? {} : { input });
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

driftAndAudit(() => stack, ROTATED);

describe("pgstack on a stack that is up", () => {
  test("S9 status is one screen, and the same for machines", async () => {
    const { stdout } = await succeeded(["status"]);
    expect(stdout.split("\n").length).toBeLessThan(30);
    for (const line of [
      /^stack +\S+ \(test\)$/m,
      /^container +pgstack-\S+ running/m,
      /^image +\S+ sha256:[0-9a-f]{12}/m,
      /^server +PostgreSQL 16\./m,
      /application, 0 connections/,
      /^connections +\d+ of 100$/m,
      /^TLS +on, certificate good for \d+ days$/m,
      /^disk +.* free of /m,
    ]) {
      expect(stdout).toMatch(line);
    }
    const report = JSON.parse((await succeeded(["status", "--json"])).stdout);
    expect(report).toMatchObject({ stack: stack.project.stack });
  });

  test("L1 health: a line each, or JSON", async () => {
    expect((await succeeded(["health"])).stdout).toMatch(/^ok +readiness/m);
    const { checks } = JSON.parse((await succeeded(["health", "--full", "--json"])).stdout);
    expect(checks).toHaveLength(22);
  });

  test.each(["administrator", "application", "readonly"])(
    "S1 psql signs in as %s, and ends with psql's own exit code",
    async (role) => {
      const { stdout } = await succeeded(["psql", "--role", role, "--", "-Atc", "SELECT current_user"]);
      expect(stdout).toBe(`${role}\n`);
      const read = await succeeded(["psql", "--role", role, "--", "-At"], "SELECT 40 + 2;\n");
      expect(read.stdout).toBe("42\n");
      const failed = await stack.project.pgstack(["psql", "--role", role, "--", "-c", "SELECT 1/0"]);
      expect(failed.code).toBe(1);
      expect(failed.stderr).toContain("division by zero");
    },
  );

  test("S9 logs prints the newest lines", async () => {
    await stack.write("DO $$ BEGIN RAISE LOG 'written just now'; END $$;");
    await expect
      .poll(async () => (await succeeded(["logs", "-n", "100"])).stdout, { timeout: 20_000 })
      .toContain("written just now");
    expect((await succeeded(["logs", "-n", "3"])).stdout.trimEnd().split("\n")).toHaveLength(3);
  });

  test("S8 the audit log tells of every operation so far, and is whole", async () => {
    expect((await succeeded(["audit", "list"])).stdout).toMatch(/ok +role\.create/);
    expect((await succeeded(["audit", "verify"])).stdout).toMatch(/\d+ records?/);
  });

  test("O3 health --serve follows the server down and up, and ends when it is told to", async () => {
    const port = await freePort();
    let child: ChildProcess | undefined;
    const serving = stack.project.pgstack(["health", "--serve", String(port)], {
      onStart: (started) => {
        child = started;
      },
    });
    const container = dockerEngine().getContainer(stack.project.container);
    const answers = (status: number) =>
      expect.poll(() => statusOf(port), { timeout: 30_000, interval: 200 }).toBe(status);
    try {
      await answers(200);
      await container.stop();
      await answers(503);
      await container.start();
      await answers(200);
    } finally {
      child?.kill("SIGTERM");
    }
    const { code, stderr } = await serving;
    expect([0, 143]).toContain(code);
    expect(stderr).toContain(`/health (Ctrl-C ends it)`);
    expect(stderr).toMatch(/ failed\n.* (ok|warning)\n/s);
  });
});

driftByCommand(() => stack, ROTATED);
auditedDestroy();

async function statusOf(port: number): Promise<number> {
  return fetch(`http://127.0.0.1:${port}/health`).then(
    ({ status }) => status,
    () => 0,
  );
}
