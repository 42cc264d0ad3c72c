import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DrillResult } from "../../agent/drill.ts";
import type { BackupEntry } from "../../agent/entry.ts";
import type { Fate } from "../../agent/retention.ts";
import type { AgentStatus } from "../../agent/status.ts";
import type { VerifyResult } from "../../agent/verify.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { forgetCluster } from "../../operations/known-cluster.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { pruneWithWindow } from "../support/narrow-window.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true, coreTables: ["public.orders"], backupEncryption: true });
  await runAsSuperuser(
    stack.target,
    `CREATE TABLE public.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text NOT NULL);
     INSERT INTO public.orders (customer) SELECT 'customer ' || n FROM generate_series(1, 5000) n;
     CREATE TABLE public.other AS SELECT 1 AS n;`,
    { database: "app", role: "administrator" },
  );
});

afterAll(() => stack?.project.remove());

/** Runs `pgstack` and reads the JSON that it prints. */
async function pgstack<Value>(...options: string[]): Promise<Value> {
  const ended = await stack.project.pgstack([...options, "--json"]);
  if (ended.stdout === "") throw new Error(ended.stderr);
  return JSON.parse(ended.stdout) as Value;
}

describe("L2 L5 L6 backups of a stack", () => {
  test("P3 a second up changes nothing with an agent, too", async () => {
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
  });

  test("L3 a new stack is backed up by itself, both ways", async () => {
    await expect
      .poll(async () => (await callAgent<AgentStatus>(stack.target, "status")).lastRuns.at(-1), {
        timeout: 60_000,
      })
      .toMatchObject({ result: "ok" });
    const { backups } = await pgstack<{ backups: BackupEntry[] }>("backups");
    expect(backups.map(({ kind }) => kind).sort()).toEqual(["full", "logical"]);
  });

  test("L2 L6 a dump by command: encrypted, read back, with what it was taken of", async () => {
    const [entry] = await pgstack<BackupEntry[]>("backup", "--label", "before 7.2");
    expect(entry).toMatchObject({
      ...{ kind: "logical", label: "before 7.2", encrypted: true, repositories: ["local"] },
      ...{ serverVersion: "16.14", checksum: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
      schemaFingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      verification: { form: "read back", result: "ok" },
    });
    const files = await inAgent(`find /backups/logical/${entry?.id} -type f | sort`);
    expect(files.split("\n").map((path) => path.split("/").at(-1))).toEqual([
      "backup.json",
      "database.dump.sealed",
      "properties.json.sealed",
      "roles.json.sealed",
    ]);
    expect(
      await inAgent("grep -rl 'customer 4' /backups/logical /backups/pgbackrest-encrypted || echo none"),
    ).toBe("none");
  });

  test("L5 an incremental backup rests on the full one", async () => {
    const [entry] = await pgstack<BackupEntry[]>("backup", "--kind", "incr");
    expect(entry).toMatchObject({ kind: "incremental", encrypted: true });
    const { backups } = await pgstack<{ backups: BackupEntry[] }>("backups");
    expect(backups.map(({ id }) => id)).toContain(entry?.prior);
  });

  test("L2 verified in full: each is restored into a throw-away cluster, checked and compared", async () => {
    const results = await pgstack<VerifyResult[]>("verify", "--all", "--deep");
    expect(results.length).toBeGreaterThanOrEqual(4);
    expect(results.flatMap(({ problems }) => problems)).toEqual([]);
    expect(new Set(results.map(({ entry }) => entry.verification.form))).toEqual(new Set(["restored"]));
    expect(await inAgent("find /scratch/private /scratch/clusters /scratch/sessions -mindepth 1")).toBe("");
  });

  test("L5 A4 a drill restores everything archived and measures it", async () => {
    const drill = await pgstack<DrillResult>("drill");
    expect(drill).toMatchObject({ result: "ok" });
    expect(drill.rtoSeconds).toBeLessThan(60);
    expect(drill.rpoSeconds).toBeLessThan(60);
    // What it measured is an output of the stack, and no change to it.
    const preview = await stack.project.pulumi(["preview", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
    await stack.up();
    const { at: provenAt, result, backup, rtoSeconds, rpoSeconds } = drill;
    const { recovery } = await stack.project.outputs<{ recovery: unknown }>();
    expect(recovery).toEqual({ provenAt, result, backup, rtoSeconds, rpoSeconds });
    expect(await inAgent("find /scratch/private /scratch/clusters /scratch/sessions -mindepth 1")).toBe("");
  });

  test("L1 health tells of backup and drill", async () => {
    const report = await pgstack<{ checks: { name: string; status: string }[] }>("health", "--full");
    const status = (name: string) => report.checks.find((check) => check.name === name)?.status;
    expect([status("backup age"), status("restore drill"), status("archive lag")]).toEqual([
      "ok",
      "ok",
      "ok",
    ]);
  });

  test("L4 retention by command: a dry run tells and removes nothing", async () => {
    const fates = await pgstack<{ id: string; kept: boolean; reason: string }[]>(
      "backups",
      "--prune",
      "--dry-run",
    );
    expect(fates.every(({ kept }) => kept)).toBe(true);
    expect(fates.at(-1)?.reason).toBeTruthy();
    const pruned = await callAgent<Fate[]>(stack.target, "prune", { dryRun: false });
    expect(pruned.filter(({ kept }) => !kept)).toEqual([]);
  });

  test("C1 before the window each backup keeps its own log, and nothing takes what was let go for a gap", async () => {
    const { target } = stack;
    for (let count = 0; count < 3; count += 1) await callAgent(target, "archive-now");
    const before = new Date().toISOString();
    const [base] = await callAgent<BackupEntry[]>(target, "backup", { kind: "full", waitSeconds: 60 });
    await callAgent(target, "archive-now");
    await pgstack("backup", "--kind", "incr");
    const segments = () => inAgent("find /backups/pgbackrest-encrypted/archive -name '0000*.zst' | wc -l");
    const stored = Number(await segments());
    await pruneWithWindow(target, 0);
    expect(Number(await segments())).toBeLessThan(stored);
    const told = await pgstack<{ backups: BackupEntry[]; pointInTimeSince: string }>("backups");
    const physical = told.backups.filter(({ kind }) => kind !== "logical");
    const older = physical.filter(({ ownEndOnly }) => ownEndOnly === true);
    expect(older).toEqual(physical.slice(0, -2));
    expect(older.length).toBeGreaterThanOrEqual(2);
    expect(told.pointInTimeSince).toBe(base?.finishedAt);
    const status = await stack.project.pgstack(["status"]);
    expect(status.output).toContain(
      `any since ${base?.finishedAt}; ${older.length} older backups as of their own end only`,
    );
    expect((await callAgent<{ gaps: unknown[] }>(target, "archive")).gaps).toEqual([]);
    // Each of the older ones is whole, and so is the log inside the window.
    for (const { id } of older) {
      const [result] = await callAgent<VerifyResult[]>(target, "verify", { id, deep: true });
      expect(result?.problems).toEqual([]);
    }
    expect(await callAgent<DrillResult>(target, "drill")).toMatchObject({ result: "ok" });
    const refused = await stack.project.pgstack(["restore", "--time", before, "--yes"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(`possible is ${base?.finishedAt} to `);
    for (const { id, finishedAt } of older) expect(refused.stderr).toContain(`${id} (${finishedAt})`);
    // What an older one needs lacks, when it does.
    const [needed = ""] = older.map(({ startWal }) => startWal);
    const file = await inAgent(`find /backups/pgbackrest-encrypted/archive -name '${needed}-*'`);
    await inAgent(`mv ${file} /scratch/kept; rm -f /backups/state/archive-local.json`);
    const { gaps } = await callAgent<{ gaps: unknown[] }>(target, "archive");
    await inAgent(`mv /scratch/kept ${file}`);
    expect(gaps).toEqual([{ repository: "local", segments: [needed] }]);
  });

  test("O1 what a monitoring system asks is in a file", async () => {
    const metrics = await inAgent("cat /backups/state/metrics.prom");
    expect(metrics).toMatch(/^pgstack_backup_last_success_timestamp_seconds\{stack="\S+",kind="full"\} \d+/m);
  });

  test("L6 the key is shown on request, and nowhere else", async () => {
    const { stdout } = await stack.project.pgstack(["backups", "--show-key"]);
    const key = stdout.trim();
    expect(key).toMatch(/^\w{48}$/);
    const docker = dockerEngine();
    for (const name of [stack.target.container, `${stack.target.container}-agent`]) {
      expect(JSON.stringify(await docker.getContainer(name).inspect())).not.toContain(key);
    }
    expect(await inAgent("cat /etc/pgstack/agent.json")).not.toContain(key);
    const audit = await stack.project.pgstack(["audit", "--json"]);
    expect(audit.stdout).not.toContain(key);
  });

  test("S7 the agent may do nothing but its work", async () => {
    const { HostConfig, Config } = await dockerEngine()
      .getContainer(`${stack.target.container}-agent`)
      .inspect();
    expect(Config.User).toBe("postgres");
    expect(HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      NetworkMode: "none",
      Privileged: false,
    });
    expect(await inAgent("touch /var/lib/postgresql/data/x 2>&1 || true")).toMatch(/Read-only file system/);
  });

  test("S7 whoever runs programs in the server's container reaches neither the backups nor their key", async () => {
    const key = (await stack.project.pgstack(["backups", "--show-key"])).stdout.trim();
    const files = async () => (await inAgent("find /backups/pgbackrest-encrypted -type f")).split("\n");
    const before = await files();
    const { stdout } = await executeInContainer(stack.target, {
      command: [
        "sh",
        "-c",
        'key=$(cat); grep -rlsF -D skip -- "$key" /etc /tmp /var/run /backups /scratch "$PGDATA/.."; true',
      ],
      input: key,
    });
    expect(stdout).toBe("");
    expect(await stack.inside("grep -cE ' /(backups|scratch) ' /proc/mounts || true")).toBe("0\n");
    // What it can write to: its data, with what it hands over, and the folder of its socket.
    const forged = "00000001000000000000FFFF";
    await stack.inside(
      `rm -rf /backups/* /var/run/postgresql/pgstack-archived-*; cd "$PGDATA/pg_wal" && ln -s /backups/metadata.json ${forged} && touch archive_status/${forged}.ready`,
    );
    try {
      await expect
        .poll(() => agentLog(), { timeout: 20_000 })
        .toContain(`the write-ahead log is not archived: ${forged} is no file`);
    } finally {
      await stack.inside(`cd "$PGDATA/pg_wal" && rm -f ${forged} archive_status/${forged}.*`);
    }
    await callAgent(stack.target, "archive-now");
    const after = await files();
    expect(after).toEqual(expect.arrayContaining(before));
    expect(after.length).toBeGreaterThan(before.length);
    expect((await stack.project.pgstack(["verify", "--all"])).code).toBe(0);
  });

  test.each([
    [["backup", "--label", "a\nb"], /is no label/],
    [["backup", "--kind", "half"], /Allowed choices are/],
    [["verify", "nothing"], /there is no backup "nothing"; the newest good one is/],
    [["restore-point", "a'b"], /is no restore point's name/],
    [["restore", "--time", "yesterday", "--yes"], /with its zone/],
    [["restore", "--time", "2001-01-01T00:00:00Z", "--yes"], /cannot be reached: possible is \S+ to \S+/],
    [["restore", "--time", "2101-01-01T00:00:00Z", "--yes"], /is in the future/],
    [["restore", "--yes"], /give one target/],
    [
      ["restore", "--latest"],
      /not a terminal: pass --yes to put the restored state in use without being asked/,
    ],
  ])("F25 pgstack %j is refused in one line, and changes nothing", async (options, message) => {
    const ended = await stack.project.pgstack(options as string[]);
    expect(ended.code).not.toBe(0);
    const lines = ended.stderr
      .trim()
      .split("\n")
      .filter((line) => line.startsWith("pgstack: "));
    expect(lines).toEqual([expect.stringMatching(message)]);
    expect(await callAgent(stack.target, "restore-journal")).toBeNull();
  });
});

// The last: what was committed after the last backup is gone with the volume, as far as it was not streamed.
test("C2 an emptied data volume gets no new cluster: the server is held, and --latest brings the stack's back", async () => {
  const { container } = stack.target;
  const server = dockerEngine().getContainer(container);
  await stack.inside('rm -rf "$PGDATA"/*');
  await server.restart();
  const reason =
    /the data volume is empty, and the stack has had its database there: pgstack restore --latest/;
  const started = await stack.project.pgstack(["start"]);
  expect([started.code, started.stderr]).toEqual([1, expect.stringMatching(reason)]);
  expect(await stack.inside('ls -A "$PGDATA"')).toBe("");
  for (const words of [["backup"], ["restore-point", "now"]]) {
    const { code, stderr } = await stack.project.pgstack(words);
    expect([words, code, stderr]).toEqual([words, 1, expect.stringMatching(reason)]);
    expect(stderr).toContain("pgstack: the server is held: ");
  }
  expect((await stack.project.pgstack(["status"])).stdout).toMatch(reason);
  const restored = await stack.project.pgstack(["restore", "--latest", "--yes"]);
  expect(restored.code, restored.output).toBe(0);
  expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("5000");
  const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
  // As for a stack that is made from its beginning on volumes that one before it has left.
  expect(await forgetCluster(stack.target)).toBe(false);
  await stack.inside('rm -rf "$PGDATA"/*');
  await server.restart();
  await expect.poll(() => forgetCluster(stack.target), { timeout: 30_000 }).toBe(true);
  await waitUntilReady(stack.target, { timeoutSeconds: 60 });
  expect(await stack.inside('cat "$PGDATA/PG_VERSION"')).toBe("16\n");
});

async function inAgent(script: string): Promise<string> {
  const container = `${stack.target.container}-agent`;
  const { stdout } = await executeInContainer(
    { ...stack.target, container },
    { command: ["sh", "-c", script] },
  );
  return stdout.trim();
}

async function agentLog(): Promise<string> {
  const agent = dockerEngine().getContainer(`${stack.target.container}-agent`);
  return String(await agent.logs({ stdout: true, stderr: true }));
}
