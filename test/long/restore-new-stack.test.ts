import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { LABEL_STACK, type Target } from "../../operations/target.ts";
import type { TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const BACKUP = { backup: true, backupEncryption: true };

let stack: LiveStack;
let full: BackupEntry;

beforeAll(async () => {
  stack = await LiveStack.bringUp(BACKUP);
  await stack.write("CREATE TABLE public.orders AS SELECT n FROM generate_series(1, 100) n;");
  const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", { kind: "full", waitSeconds: 60 });
  if (entry === undefined) throw new Error("no backup was taken");
  full = entry;
  await stack.write("INSERT INTO public.orders SELECT n FROM generate_series(101, 150) n;");
});

afterAll(() => stack?.project.remove());

async function count(target: Target): Promise<number> {
  const sql = "SELECT count(*)::int AS n FROM public.orders";
  return (await queryAsSuperuser<{ n: number }>(target, sql, { database: "app" }))[0]?.n ?? -1;
}

async function emptyPreview(project: TestProject): Promise<void> {
  const preview = await project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
}

describe("L7 restore into a new stack", () => {
  test("L7 everything until now, by command; the old stack is as it was", async () => {
    const clone = stack.project.sibling("a");
    const { stack: name, target } = clone;
    const ended = await stack.project.pgstack(["restore", "--latest", "--into", name]);
    expect(ended.code, ended.output).toBe(0);
    expect([await count(target), await count(stack.target)]).toEqual([150, 150]);
    await runAsSuperuser(target, "DELETE FROM public.orders;", { database: "app" });
    expect(await count(stack.target)).toBe(150);
    await emptyPreview(clone);
    await emptyPreview(stack.project);
    const health = await clone.pgstack(["health", "--full"]);
    expect(health.code, health.output).toBe(0);
    // Its own backups begin with it.
    const entries = await callAgent<BackupEntry[]>(target, "backup", { kind: "full", waitSeconds: 120 });
    expect(entries[0]?.systemIdentifier).toBe(full.systemIdentifier);
  });

  test("L7 a name that is taken and a backup that is not there are refused, and nothing is made", async () => {
    const taken = await stack.project.pgstack(["restore", "--latest", "--into", stack.project.stack]);
    expect([taken.code, taken.stderr]).toEqual([2, expect.stringContaining("has settings already")]);
    const { stack: name } = stack.project.sibling("b");
    const unknown = await stack.project.pgstack(["restore", "20200101-000000F", "--into", name]);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/^pgstack: there is no backup "20200101-000000F"/m);
  });

  test("L7 P4 a target that cannot be reached: up fails, and nothing half made stays", async () => {
    const { stack: name } = stack.project.sibling("c");
    const ended = await stack.project.pgstack(["restore", "--name", "no-such-point", "--into", name]);
    expect(ended.code).toBe(1);
    expect(ended.output).toMatch(/restore point no-such-point cannot be reached/);
    const { Volumes } = await dockerEngine().listVolumes({ filters: { label: [`${LABEL_STACK}=${name}`] } });
    expect(Volumes.map(({ Name }) => Name)).not.toContain(`pgstack-${name}-data`);
  });

  test("F28 the wrong encryption key is refused", async () => {
    const { stack: name } = stack.project.sibling("d");
    const ended = await bringUpFrom(name, "0".repeat(48), { backup: full.id });
    expect(ended.code).not.toBe(0);
    expect(ended.output).toMatch(/cannot be read with the stack's encryption key/);
  });

  test("F56 server, stack and its state are gone: the repository alone brings the database back", async () => {
    const { backupKey } = await stack.project.outputs<{ backupKey: string }>();
    const point = await callAgent(stack.target, "restore-point", { name: "the-end" });
    expect(point).toMatchObject({ name: "the-end" });
    await stack.project.removeContainers();
    const docker = dockerEngine();
    await docker.getVolume(`pgstack-${stack.project.stack}-data`).remove();
    await docker.getVolume(`pgstack-${stack.project.stack}-configuration`).remove();
    await rm(join(stack.project.directory, ".pgstack", "state", ".pulumi", "stacks", "pgstack"), {
      recursive: true,
      force: true,
    });
    const clone = stack.project.sibling("e");
    const { stack: name, target } = clone;
    const ended = await bringUpFrom(name, backupKey, { name: "the-end" });
    expect(ended.code, ended.output).toBe(0);
    expect(await count(target)).toBe(150);
    await emptyPreview(clone);
  });

  /** As docs/backup.md says: settings with `restore.from`, the key as a secret, `up`. */
  async function bringUpFrom(name: string, key: string, wanted: Record<string, unknown>) {
    const run = (...command: string[]) =>
      stack.project.run("pulumi", [...command, "--stack", name, "--non-interactive"]);
    const set = (path: string, value: string) => run("config", "set", "--path", `pgstack:${path}`, value);
    expect((await run("stack", "init")).code).toBe(0);
    await set("environment", "test");
    await set("memoryLimit", "512MB");
    await set("sharedBuffers", "64MB");
    await set("restore.from.volume", `pgstack-${stack.project.stack}-backups`);
    for (const [path, value] of Object.entries(wanted)) await set(`restore.${path}`, String(value));
    const secret = ["config", "set", "--secret", "--path", "pgstack:restore.from.encryptionKey"];
    await stack.project.run("pulumi", [...secret, "--stack", name, "--non-interactive"], { input: key });
    return run("up", "--yes", "--skip-preview");
  }
});
