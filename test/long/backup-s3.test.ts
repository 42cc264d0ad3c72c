import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { freePort } from "../../cli/preview-change/free-port.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import type { S3Server } from "../support/s3/server.ts";
import { archived, bringUpWithStorage, STORAGE_AUTHORITY } from "../support/s3/stack.ts";
import type { LiveStack } from "../support/security/live-stack.ts";

const MARK = "a line that must not be readable in the storage";

let stack: LiveStack;
let storage: S3Server;
let settings: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  ({ stack, storage, settings } = await bringUpWithStorage());
  await stack.write(`CREATE TABLE public.notes (n int, text text);
    INSERT INTO public.notes SELECT n, '${MARK} ' || n FROM generate_series(1, 2000) n;`);
});

afterAll(() => stack?.project.remove());

async function count(): Promise<number> {
  const sql = "SELECT count(*)::int AS n FROM public.notes";
  return (await queryAsSuperuser<{ n: number }>(stack.target, sql, { database: "app" }))[0]?.n ?? -1;
}

async function inAgent(script: string): Promise<void> {
  const container = `${stack.target.container}-agent`;
  const command = ["sh", "-c", script];
  const { exitCode, stderr } = await executeInContainer({ ...stack.target, container }, { command });
  expect(exitCode, stderr).toBe(0);
}

describe("L6 backups in an object storage", { timeout: 400_000 }, () => {
  test("L6 a physical backup goes into both repositories, over TLS, and nothing in the storage can be read", async () => {
    const ended = await stack.project.pgstack(["backup", "--kind", "full", "--json"]);
    expect(ended.code, ended.output).toBe(0);
    const entries: BackupEntry[] = JSON.parse(ended.stdout);
    expect(entries.map(({ repositories }) => repositories)).toEqual([["local"], ["s3"]]);
    expect(entries.every(({ encrypted }) => encrypted)).toBe(true);
    expect(Number(await storage.shell("find data -type f | wc -l"))).toBeGreaterThan(5);
    expect(await storage.shell(`grep -rl '${MARK}' data || echo none`)).toBe("none");
  });

  test("P3 a further preview is empty", async () => {
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
  });

  test("F27 one request in five fails and all are slow: the backup is taken all the same", async () => {
    await storage.setFaults({ failEvery: 5, delayMilliseconds: 50 });
    const ended = await stack.project.pgstack(["backup", "--kind", "incr"]);
    await storage.setFaults({});
    expect(ended.code, ended.output).toBe(0);
  });

  test("L6 with the local repository gone the database comes back from the storage alone", async () => {
    const { stdout } = await stack.project.pgstack(["backups", "--json"]);
    const { backups } = JSON.parse(stdout) as { backups: BackupEntry[] };
    const last = backups.findLast(({ repositories }) => repositories.includes("s3"));
    await inAgent("rm -rf /backups/pgbackrest*/*");
    await stack.write("DROP TABLE public.notes;");
    const ended = await stack.project.pgstack(["restore", last?.id ?? "", "--yes"]);
    expect(ended.code, ended.output).toBe(0);
    expect(await count()).toBe(2000);
  });

  test.each([
    ["the key is wrong", { secret: "0".repeat(40) }],
    ["the bucket is gone", { bucket: "nowhere" }],
  ])("F27 %s: the backup fails and says so, the local one is taken", async (_, over) => {
    await stack.change({ ...settings, backupS3: storage.setting(STORAGE_AUTHORITY, over) });
    const ended = await stack.project.pgstack(["backup", "--kind", "full"]);
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(/pgstack: .*repository s3: /);
    expect(ended.stderr).toMatch(/\(taken: \S+\)/);
    const dump = await callAgent<BackupEntry[]>(stack.target, "backup", { kind: "logical", waitSeconds: 60 });
    expect(dump).toHaveLength(1);
    await stack.change(settings);
    await expect.poll(() => archived(stack), { timeout: 240_000, interval: 1_000 }).toBe(true);
  });

  test("B11 the server is published from a network without the agent's way out, and a toggle of either moves only one", async () => {
    const docker = dockerEngine();
    const { container } = stack.target;
    const before = (await docker.getContainer(container).inspect()).Id;
    const publish = { publish: true, publishPort: await freePort() };
    await stack.change({ ...settings, ...publish });
    const networksOf = async (name: string) =>
      Object.keys((await docker.getContainer(name).inspect()).NetworkSettings.Networks).sort();
    expect(await networksOf(container)).toEqual([container, `${container}-access`]);
    expect(await networksOf(`${container}-agent`)).toEqual([`${container}-storage`]);
    const masquerade = "com.docker.network.bridge.enable_ip_masquerade";
    const access = await docker.getNetwork(`${container}-access`).inspect();
    expect(access.Options?.[masquerade]).toBe("false");
    // The storage is an address outside of the server's networks.
    const { Networks } = (await docker.getContainer(`${container}-s3`).inspect()).NetworkSettings;
    const [address = ""] = Object.values(Networks).map(({ IPAddress }) => IPAddress);
    const probe = (name: string) =>
      executeInContainer(
        { ...stack.target, container: name },
        { command: ["timeout", "5", "openssl", "s_client", "-connect", `${address}:443`] },
      );
    expect((await probe(`${container}-agent`)).stdout).toContain("BEGIN CERTIFICATE");
    expect((await probe(container)).stdout).not.toContain("BEGIN CERTIFICATE");
    const published = (await docker.getContainer(container).inspect()).Id;
    expect(published).not.toBe(before);
    // Without a storage the agent has no network, and the server goes on.
    const { backupS3: _, ...local } = settings;
    await stack.change({ ...local, ...publish });
    expect(await networksOf(`${container}-agent`)).toEqual(["none"]);
    expect((await docker.getContainer(container).inspect()).Id).toBe(published);
    await storage.join(stack.project.stack);
    await stack.change({ ...settings, ...publish });
    expect((await docker.getContainer(container).inspect()).Id).toBe(published);
    await stack.change(settings);
    expect(await networksOf(container)).toEqual([container]);
  });
});
