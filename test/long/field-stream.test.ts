import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { DrillResult } from "../../agent/drill.ts";
import type { Backups } from "../../agent/metadata.ts";
import type { AgentStatus } from "../../agent/status.ts";
import type { RecoveryPoint } from "../../agent/stream/recovery-point.ts";
import { SLOT } from "../../agent/stream/slot.ts";
import { agentContainer, callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { runOnVolume } from "../../operations/volume/run.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { archiveAll, Ledger } from "../support/ledger.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { Writer } from "../support/writer.ts";

vi.setConfig({ testTimeout: 300_000 });

/** What the loss of the host may cost at most. */
const RECOVERY_POINT_SECONDS = 2;

let stack: LiveStack;
let ledger: Ledger;

beforeAll(async () => {
  // The archive has nothing of what follows: no segment is closed before it is full.
  stack = await LiveStack.bringUp({
    ...{ backup: true, backupEncryption: true, archiveTimeoutSeconds: 3600 },
    serverSettings: { max_slot_wal_keep_size: "32MB", checkpoint_timeout: "1h" },
  });
  ledger = await Ledger.create(stack);
  await untilFirstBackup(stack.target);
  await archiveAll(stack);
});

afterAll(() => stack?.project.remove());

const agent = () => agentContainer(stack.target.container);

async function inAgent(script: string): Promise<string> {
  const { stdout } = await executeInContainer(
    { ...stack.target, container: agent() },
    { command: ["sh", "-c", script] },
  );
  return stdout.trim();
}

async function measured(): Promise<number> {
  return (await callAgent<RecoveryPoint>(stack.target, "recovery-point")).seconds;
}

async function slot(): Promise<{ active: boolean; status: string } | undefined> {
  const sql = `SELECT active, wal_status AS status FROM pg_replication_slots WHERE slot_name = '${SLOT}'`;
  return (await queryAsSuperuser<{ active: boolean; status: string }>(stack.target, sql))[0];
}

/** The host goes: server and agent in the same moment, and then what the data volume holds. */
async function loseHost(): Promise<void> {
  const docker = dockerEngine();
  await Promise.all(
    [stack.target.container, agent()].map((container) => docker.getContainer(container).kill()),
  );
  const { dataVolume: volume, image } = stack.outputs.deployed;
  const remove = "rm -r /pgstack-volume/*/base /pgstack-volume/*/pg_wal /pgstack-volume/*/global/pg_control";
  expect(await runOnVolume(docker, { volume, image: image.imageId }, ["sh", "-c", remove])).toBe(0);
  await docker.getContainer(agent()).start();
}

async function restoreLatest(): Promise<string> {
  const ended = await stack.project.pgstack(["restore", "--latest", "--yes"]);
  expect(ended.code, ended.output).toBe(0);
  return ended.output;
}

describe("the log by streaming", () => {
  test("is in the backup place within two seconds of each commit, encrypted, and nothing of it was archived", async () => {
    await ledger.commit("a row that nobody may read");
    expect(await measured()).toBeLessThan(RECOVERY_POINT_SECONDS);
    expect(await slot()).toMatchObject({ active: true });
    expect(await inAgent("ls /backups/stream/*/ | grep -vc sealed")).toBe("0");
    expect(await inAgent("grep -rlc 'nobody may read' /backups || echo none")).toBe("none");
    const health = await stack.project.pgstack(["health", "--full"]);
    expect(health.output).toMatch(/ok +recovery point +commits are in the backup place within/);
    expect((await stack.project.pgstack(["status"])).output).toMatch(/recovery point 0\.\d s/);
  });

  test("is nothing foreign to the stack", async () => {
    expect((await stack.project.pgstack(["drift"])).output).not.toMatch(/replication slot/);
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
  });

  test("is what a drill restores as well, before anything of it was archived", async () => {
    const drilled = await callAgent<DrillResult>(stack.target, "drill", { waitSeconds: 60 });
    expect(drilled).toMatchObject({ result: "ok" });
    expect(drilled.rpoSeconds).toBeLessThan(RECOVERY_POINT_SECONDS);
  });

  test("brings back, after the loss of the host under load, what was committed until two seconds before", async () => {
    const writer = await Writer.start(stack, "written");
    await writer.progress(500);
    // Some are older than what may be lost.
    await expect
      .poll(() => writer.before(performance.now() - RECOVERY_POINT_SECONDS * 1_000).length, {
        timeout: 30_000,
      })
      .toBeGreaterThan(0);
    const lost = performance.now();
    await loseHost();
    await writer.end();
    await restoreLatest();
    expect(await ledger.entries()).toEqual(["a row that nobody may read"]);
    const rows = await queryAsSuperuser<{ n: number }>(stack.target, "SELECT n::int FROM public.written", {
      database: "app",
    });
    const there = new Set(rows.map(({ n }) => n));
    const wanted = writer.before(lost - RECOVERY_POINT_SECONDS * 1_000);
    expect(wanted.filter((n) => !there.has(n))).toEqual([]);
    console.log(
      `of ${writer.before(lost).length} commits before the loss ${writer.before(lost).filter((n) => !there.has(n)).length} are missing`,
    );
  });

  test("goes on along the timeline that the restore began, which the next loss brings back", async () => {
    await expect.poll(slot, { timeout: 30_000 }).toMatchObject({ active: true, status: "reserved" });
    await ledger.commit("after the restore");
    expect(await measured()).toBeLessThan(RECOVERY_POINT_SECONDS);
    const { lineage } = await callAgent<AgentStatus>(stack.target, "status");
    expect(lineage?.chain.at(-1)).toEqual({ timeline: 2 });
    expect(await inAgent("ls /backups/stream/*/ | tail -1")).toMatch(/^00000002/);
    await loseHost();
    await restoreLatest();
    expect(await ledger.entries()).toEqual(["a row that nobody may read", "after the restore"]);
  });

  test("goes on where it was when the agent is killed in the middle", async () => {
    await expect.poll(slot, { timeout: 30_000 }).toMatchObject({ active: true });
    await ledger.commit("before the kill");
    await dockerEngine().getContainer(agent()).kill();
    await ledger.commit("without an agent");
    await dockerEngine().getContainer(agent()).start();
    await expect.poll(measured, { timeout: 30_000 }).toBeLessThan(RECOVERY_POINT_SECONDS);
    expect(await slot()).toMatchObject({ active: true, status: "reserved" });
  });

  test("costs a server whose agent is away no more than its limit; then it begins anew, with a full backup behind the gap", async () => {
    await dockerEngine().getContainer(agent()).kill();
    for (let round = 0; round < 8; round += 1) {
      await runAsSuperuser(
        stack.target,
        "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 15000000)); SELECT pg_switch_wal(); CHECKPOINT;",
      );
    }
    await expect
      .poll(
        async () => {
          await runAsSuperuser(stack.target, "CHECKPOINT");
          return (await slot())?.status;
        },
        { timeout: 60_000 },
      )
      .toBe("lost");
    await ledger.commit("while the agent was away");
    await dockerEngine().getContainer(agent()).start();
    await expect.poll(measured, { timeout: 60_000 }).toBeLessThan(RECOVERY_POINT_SECONDS);
    expect(await slot()).toMatchObject({ active: true, status: "reserved" });
    const labels = async () =>
      (await callAgent<Backups>(stack.target, "list")).entries.map(({ kind, label }) => `${kind} ${label}`);
    await expect.poll(labels, { timeout: 120_000, interval: 1_000 }).toContain("full after a gap");
    const { archive } = await callAgent<AgentStatus>(stack.target, "status");
    expect(archive?.gaps).toEqual([{ repository: "local", segments: expect.any(Array) }]);
    const waiting = "(SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')";
    await expect.poll(() => stack.value(waiting), { timeout: 60_000 }).toBe("0");
    await loseHost();
    await restoreLatest();
    expect((await ledger.entries()).at(-1)).toBe("while the agent was away");
  });

  test("leaves nothing behind of what the archive holds but its last segment", async () => {
    await archiveAll(stack);
    await ledger.commit("one more");
    const files = () =>
      inAgent("ls /backups/stream/*/ | grep -c ^$(ls /backups/stream/*/ | tail -1 | cut -c1-8)");
    await expect.poll(files, { timeout: 60_000, interval: 1_000 }).toBe("1");
  });

  test("holds nothing back any more when the stack has no backups", async () => {
    await stack.change({ backup: false });
    expect(await slot()).toBeUndefined();
  });
});
