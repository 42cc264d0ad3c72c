import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { callAgent } from "../../operations/agent.ts";
import { requireRestoreAllowed } from "../../operations/restore/allowed.ts";
import { TestProject } from "../support/project.ts";
import { rounds } from "../support/rounds.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const BACKUP = { backup: true };
const ROTATED = { ...BACKUP, rotations: { administrator: 0, application: 1, readonly: 0 } };

let stack: LiveStack;
let full: BackupEntry;

beforeAll(async () => {
  stack = await LiveStack.bringUp(BACKUP);
  await stack.write("CREATE TABLE public.rounds AS SELECT 1 AS n;");
  const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", { kind: "full", waitSeconds: 60 });
  if (entry === undefined) throw new Error("no backup was taken");
  full = entry;
  await stack.write("INSERT INTO public.rounds VALUES (2);");
});

afterAll(() => stack?.project.remove());

async function expectNoChange(): Promise<void> {
  const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
}

describe("L7 G5 restore by the stack's config", () => {
  test("L7 up brings the database back; a rotated password and the grants of today stay; the next preview is empty", async () => {
    await stack.change(ROTATED);
    await stack.change({ ...ROTATED, restore: { backup: full.id } });
    expect(await rounds(stack)).toEqual([1]);
    const session = await stack.session("application");
    expect((await session.query("SELECT count(*)::int AS n FROM public.rounds")).rows).toEqual([{ n: 1 }]);
    await session.end();
    await expectNoChange();
    const health = await stack.project.pgstack(["health", "--full"]);
    expect(health.code, health.output).toBe(0);
  });

  test("L7 a further up restores nothing again, and what is written since stays", async () => {
    await stack.write("INSERT INTO public.rounds VALUES (3);");
    await stack.up();
    expect(await rounds(stack)).toEqual([1, 3]);
    const { stdout } = await stack.project.pgstack(["audit", "list"]);
    expect(stdout.match(/ restore /g)).toHaveLength(1);
  });

  test("L7 by command from there on: the state of the command, and an empty preview, too", async () => {
    const ended = await stack.project.pgstack(["restore", "--latest", "--yes"]);
    expect(ended.code, ended.output).toBe(0);
    expect(await rounds(stack)).toEqual([1, 3]);
    await expectNoChange();
  });

  test("L7 a target that cannot be reached: up fails, the database is as it was", async () => {
    await stack.project.configure({ ...ROTATED, restore: { name: "never-set" } });
    const failed = await stack.project.up();
    expect(failed.code).not.toBe(0);
    expect(failed.output).toMatch(/restore point never-set cannot be reached/);
    expect(await rounds(stack)).toEqual([1, 3]);
    await stack.change(ROTATED);
    await expectNoChange();
  }, 300_000);

  test("L7 a stack without a database cannot be restored in place: refused before anything is made", async () => {
    const project = await TestProject.create({ ...BACKUP, restore: { latest: true } });
    try {
      const failed = await project.up();
      expect(failed.code).not.toBe(0);
      expect(failed.output).toMatch(/pgstack:restore: stack \S+ has no database yet/);
      expect(await project.things()).toEqual({ containers: [], volumes: [], networks: [] });
    } finally {
      await project.remove();
    }
  });
});

describe("L7 production is restored in place with permission for one time only", () => {
  const now = new Date("2026-03-01T12:00:00Z");
  test.each([
    ["development", "", true],
    ["production", "", false],
    ["production", "2026-03-01T13:00:00Z", true],
    ["production", "2026-03-01T11:59:59Z", false],
    ["production", "2026-03-02T12:00:01Z", false],
    ["production", "2027-01-01T00:00:00Z", false],
  ])("L7 %s, allowed until %j: %j", (environment, until, allowed) => {
    const check = () => requireRestoreAllowed(environment, until, now);
    if (allowed) expect(check).not.toThrow();
    else expect(check).toThrow(/pulumi config set pgstack:allowRestoreUntil 2026-03-01T13:00:00Z$/);
  });
});
