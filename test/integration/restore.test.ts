import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { type RecoveryTarget, restoreInPlace } from "../../operations/restore.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;
let full: BackupEntry;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true });
  await stack.write(
    "CREATE TABLE public.steps (step text PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());",
  );
  [full] = (await callAgent<BackupEntry[]>(stack.target, "backup", { kind: "full", waitSeconds: 60 })) as [
    BackupEntry,
  ];
});

afterAll(() => stack?.project.remove());

async function steps(): Promise<string[]> {
  const rows = await queryAsSuperuser<{ step: string }>(
    stack.target,
    "SELECT step FROM public.steps ORDER BY at",
    {
      database: "app",
    },
  );
  return rows.map(({ step }) => step);
}

/** A step that is committed, and the moment right after it as the server sees it. */
async function step(name: string): Promise<string> {
  await stack.write(`INSERT INTO public.steps (step) VALUES ('${name}');`);
  const [row] = await queryAsSuperuser<{ at: string }>(
    stack.target,
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
  );
  return row?.at ?? "";
}

/** How many steps there are at a target, as a restore to it finds them before it is confirmed; nothing in use is changed. */
async function stepsAt(wanted: RecoveryTarget): Promise<number | undefined> {
  let rows: number | undefined;
  const { done } = await restoreInPlace(stack.target, wanted, {
    confirm: async ({ problems, tables }) => {
      expect(problems).toEqual([]);
      rows = tables.find(({ table }) => table === "public.steps")?.rows;
      return false;
    },
    prove: async () => {},
  });
  expect(done).toBe(false);
  return rows;
}

async function restore(...options: string[]) {
  const ended = await stack.project.pgstack(["restore", ...options, "--yes"]);
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

async function expectWhole(): Promise<void> {
  const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
  const health = await stack.project.pgstack(["health", "--full"]);
  expect(health.code, health.output).toBe(0);
  expect(await callAgent(stack.target, "restore-journal")).toBeNull();
  const docker = dockerEngine();
  await expect(docker.getContainer(`${stack.target.container}-restore`).inspect()).rejects.toThrow(
    /no such container/i,
  );
}

async function inVolume(): Promise<string[]> {
  const { stdout } = await executeInContainer(stack.target, { command: ["ls", "/var/lib/postgresql/data"] });
  return stdout.trim().split("\n");
}

describe("L5 L7 restores", () => {
  test("L5 L7 to a moment: what came after is gone, what came before is there, and no difference is left", async () => {
    const one = await step("one");
    await step("two");
    await stack.write("DROP TABLE IF EXISTS public.later; CREATE TABLE public.later AS SELECT 1 AS n;");
    const ended = await restore("--time", one);
    expect(ended.stdout).toMatch(/A new chain of backups begins with \S+F\./);
    const [, safety] = /and as backup (\S+):/.exec(ended.stdout) ?? [];
    const { entries } = await callAgent<{ entries: BackupEntry[] }>(stack.target, "list");
    expect(entries.find(({ id }) => id === safety)).toMatchObject({
      ...{ kind: "incremental", label: expect.stringMatching(/^before restore /) },
      // It has what the restore has left.
      abandoned: true,
    });
    expect(await steps()).toEqual(["one"]);
    await expectWhole();
    const kept = (await inVolume()).filter((name) => name.startsWith("previous-"));
    expect(kept).toHaveLength(1);
  });

  test("L5 to a restore point, on the timeline that the first restore began", async () => {
    await step("three");
    expect((await stack.project.pgstack(["restore-point", "after-three"])).code).toBe(0);
    await step("four");
    expect(await stepsAt({ type: "name", value: "after-three" })).toBe(2);
    expect(await steps()).toEqual(["one", "three", "four"]);
  });

  test("L5 to the end of a transaction", async () => {
    const xid = await transaction("five");
    await step("six");
    expect(await stepsAt({ type: "xid", value: xid })).toBe(4);
  });

  test("L7 a table that was dropped and one that a transaction held at that moment come back", async () => {
    const before = await step("seven");
    await stack.write("DROP TABLE public.steps;");
    // The transaction that drops it holds it at that moment: it can be read only once it is in use.
    const { done } = await restoreInPlace(
      stack.target,
      { type: "time", value: before },
      { confirm: async () => true, prove: async () => {} },
    );
    expect(done).toBe(true);
    expect(await steps()).toEqual(["one", "three", "four", "five", "six", "seven"]);
  });

  test.each([
    ["--name", "never-set", /cannot be reached: .*possible is \S+ to \S+/],
    ["--xid", "4000000000", /transaction 4000000000 cannot be reached/],
  ])("L5 by command, %s %s is refused, and nothing is changed", async (option, value, message) => {
    const refused = await stack.project.pgstack(["restore", option, value, "--yes"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(message);
    expect(await callAgent(stack.target, "restore-journal")).toBeNull();
  });

  test("L7 to a backup by its id, with a role's password that was rotated since", async () => {
    await stack.change({ backup: true, rotations: { application: 1 } });
    await restore(full.id);
    expect(await steps()).toEqual([]);
    const session = await stack.session("application");
    await session.query("INSERT INTO public.steps (step) VALUES ('eight')");
    await session.end();
    await expectWhole();
  });

  test("L7 not confirmed, nothing is changed", async () => {
    await step("nine");
    const before = await inVolume();
    const result = await restoreInPlace(
      stack.target,
      { type: "backup", id: full.id },
      {
        confirm: async () => {
          const restorer = await dockerEngine().getContainer(`${stack.target.container}-restore`).inspect();
          expect(restorer.Config.User).toBe("postgres");
          expect(restorer.HostConfig).toMatchObject({
            ...{ CapDrop: ["ALL"], CapAdd: null, Privileged: false, ReadonlyRootfs: true },
            ...{ SecurityOpt: ["no-new-privileges:true"], NetworkMode: "none" },
          });
          return false;
        },
        prove: async () => {},
      },
    );
    expect(result.done).toBe(false);
    expect(await steps()).toContain("nine");
    expect(await inVolume()).toEqual(before);
  });

  test("L7 F23 what is restored is not healthy: the state before is back, checked", async () => {
    const failing = restoreInPlace(
      stack.target,
      { type: "backup", id: full.id },
      {
        confirm: async () => true,
        prove: async () => {
          throw new Error("a customer is missing");
        },
      },
    );
    await expect(failing).rejects.toThrow(
      "the restore failed and the state before is back, checked: a customer is missing",
    );
    expect(await steps()).toContain("nine");
    await expectWhole();
  });

  test("L7 what is kept is given back by command", async () => {
    const ended = await stack.project.pgstack(["restore", "--forget"]);
    expect(ended.stdout).toMatch(/^Removed what was kept of /);
    expect(await inVolume()).toEqual(["current"]);
  });

  test("L7 F52 a data directory that no server starts on is restored from everything archived", async () => {
    const last = await step("ten");
    expect(last).not.toBe("");
    await queryAsSuperuser(stack.target, "SELECT pg_switch_wal()::text AS lsn");
    await expect
      .poll(async () => (await callAgent<{ waiting: number }>(stack.target, "archive")).waiting, {
        timeout: 30_000,
      })
      .toBe(0);
    await executeInContainer(stack.target, {
      command: ["sh", "-c", 'rm -r "$PGDATA"/base "$PGDATA"/global/pg_control'],
    });
    await dockerEngine().getContainer(stack.target.container).kill();
    await restore("--latest");
    expect(await steps()).toContain("ten");
    await expectWhole();
  });
});

async function transaction(name: string): Promise<string> {
  const administrator = await stack.session("administrator");
  await administrator.query("BEGIN");
  await administrator.query("INSERT INTO public.steps (step) VALUES ($1)", [name]);
  const { rows } = await administrator.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid");
  await administrator.query("COMMIT");
  await administrator.end();
  return rows[0]?.xid ?? "";
}
