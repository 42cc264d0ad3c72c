import type Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { agentContainer, callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { heldReason } from "../../operations/held.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { LABEL_PROJECT, LABEL_STACK } from "../../operations/target.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { TestProject } from "../support/project.ts";
import { inside, smallVolume } from "../support/small-volume.ts";
import { removeVolumeQuietly, uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();
const DATA = uniqueName("small-data");
const BACKUPS = uniqueName("small-backups");
const BALLAST_MEGABYTES = 32;
const HELD =
  /held: the data volume is full \(No space left on device\): \d+ MB are free and 17 MB are needed to recover, \d+ MB more: make room/;
const FILL =
  "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000)) FROM generate_series(1, 400);";

let project: TestProject;
let data: Docker.Container | undefined;
let backups: Docker.Container | undefined;
/** The last number whose commit was acknowledged. */
let acknowledged = 0;

beforeAll(async () => {
  project = await TestProject.create({
    ...{ dataVolumeName: DATA, adoptDataVolume: true, ballastMegabytes: BALLAST_MEGABYTES },
    ...{ backup: true, backupVolumeName: BACKUPS, memoryLimit: "1500MB" },
  });
  const labels = { [LABEL_STACK]: project.stack, [LABEL_PROJECT]: "pgstack" };
  data = await smallVolume(DATA, "320m", { labels });
  backups = await smallVolume(BACKUPS, "400m", { labels });
  const up = await project.up();
  expect(up.code, up.output).toBe(0);
  await runAsSuperuser(project.target, "CREATE TABLE public.ledger (n int PRIMARY KEY);", {
    database: "app",
  });
  await untilFirstBackup(project.target);
});

afterAll(async () => {
  for (const holder of [data, backups]) await holder?.remove({ force: true, v: true });
  await project?.remove();
  for (const volume of [DATA, BACKUPS]) await removeVolumeQuietly(volume);
});

async function onData(script: string): Promise<string> {
  if (data === undefined) throw new Error("there is no data volume");
  return (await inside(data, script)).trim();
}

async function inAgent(script: string): Promise<string> {
  const container = agentContainer(project.container);
  const command = ["sh", "-c", script];
  return (await executeInContainer({ ...project.target, container }, { command })).stdout.trim();
}

async function commit(): Promise<void> {
  const next = acknowledged + 1;
  await runAsSuperuser(project.target, `INSERT INTO public.ledger VALUES (${next});`, { database: "app" });
  acknowledged = next;
}

/**
 * Writes to the volume until something is so. A server that finds segments to use again goes on for a while; one that recovers is
 * left the room that it has just made.
 */
async function fillUntil(done: () => Promise<boolean>): Promise<void> {
  const answers = () =>
    runAsSuperuser(project.target, "SELECT 1;").then(
      () => true,
      () => false,
    );
  const fill = async (): Promise<boolean> => {
    if (await done()) return true;
    if (!(await answers())) return false;
    await onData("cat /dev/zero >>/data/filler 2>/dev/null");
    await runAsSuperuser(project.target, FILL).catch(() => {});
    return await done();
  };
  await expect.poll(fill, { timeout: 120_000, interval: 500 }).toBe(true);
}

const isHeld = async () => (await heldReason(project.target)) !== undefined;
const ballastIsUsed = async () => (await ballast()) === "none";

async function restarts(): Promise<number> {
  return (await docker.getContainer(project.container).inspect()).RestartCount;
}

const ballast = () => onData("stat -c %s /data/ballast 2>/dev/null || echo none");

describe("a data volume that is filled twice", () => {
  test("the first time the server recovers with the ballast, the second time it is held and every command says why", async () => {
    const { target } = project;
    await commit();
    await fillUntil(ballastIsUsed);
    await waitUntilReady(target, { timeoutSeconds: 60 });
    await commit();

    await fillUntil(isHeld);
    const restartsBefore = await restarts();
    await expect(waitUntilReady(target, { timeoutSeconds: 600 })).rejects.toThrow(HELD);

    const status = await project.pgstack(["status"]);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(HELD);
    const health = await project.pgstack(["health"]);
    expect(health.code).toBe(1);
    expect(health.stdout).toMatch(new RegExp(`failed\\s+readiness\\s+${HELD.source}`));
    expect((await project.pgstack(["logs"])).stdout).toMatch(
      new RegExp(`FATAL: {2}the server is ${HELD.source}`),
    );
    await expect
      .poll(async () => (await docker.getContainer(project.container).inspect()).State.Health?.Status, {
        timeout: 120_000,
        interval: 1_000,
      })
      .toBe("unhealthy");
    expect(await restarts()).toBe(restartsBefore);
  });

  test("while it is held, stops are quick, and starts and ups end with the reason", async () => {
    const { target } = project;
    const started = performance.now();
    const restarted = await project.pgstack(["restart"]);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(restarted.code).toBe(1);
    expect(restarted.stderr).toMatch(/no backup is taken, as the server is held/);
    expect(restarted.stderr).toMatch(HELD);
    expect(await heldReason(target)).toBeDefined();

    const stopped = await project.pgstack(["shutdown"]);
    expect(stopped.code, stopped.output).toBe(0);
    expect(stopped.stdout).toMatch(/has stopped: no process, no port, no lock is left/);
    const start = await project.pgstack(["start"]);
    expect(start.code).toBe(1);
    expect(start.stderr).toMatch(HELD);

    const before = performance.now();
    const up = await project.up();
    expect(performance.now() - before).toBeLessThan(120_000);
    expect(up.code).not.toBe(0);
    expect(up.output).toMatch(HELD);
    expect(up.output).not.toMatch(/\n\s+at .+:\d+/);
  });

  test("as soon as there is room it goes on by itself, nothing is lost, and a restart holds room back again", async () => {
    const { target } = project;
    await onData("rm /data/filler");
    const start = await project.pgstack(["start"]);
    expect(start.code, start.output).toBe(0);
    await commit();
    const rows = await queryAsSuperuser(
      target,
      "SELECT max(n) AS last, count(*)::int AS n FROM public.ledger",
      {
        database: "app",
      },
    );
    expect(rows).toEqual([{ last: acknowledged, n: acknowledged }]);
    expect(await heldReason(target)).toBeUndefined();
    expect((await project.pgstack(["status", "--json"])).stdout).not.toContain('"held"');

    const restarted = await project.pgstack(["restart", "--no-backup"]);
    expect(restarted.code, restarted.output).toBe(0);
    expect(await ballast()).toBe(String(BALLAST_MEGABYTES * 1024 ** 2));
    const up = await project.up();
    expect(up.code, up.output).toBe(0);
  });
});

describe("a backup place that fills", () => {
  const fillBackups = (leave: string) =>
    inAgent(
      `free=$(df -Pk /backups | awk 'END { print $4 }'); head -c $(((free - ${leave}) * 1024)) /dev/zero >>/backups/filler`,
    );

  test("health warns before it is full", async () => {
    const before = await project.pgstack(["health"]);
    expect(before.stdout).toMatch(/ok +backup headroom/);
    await fillBackups("40 * 1024");
    const warned = await project.pgstack(["health"]);
    expect(warned.code, warned.output).toBe(0);
    expect(warned.stdout).toMatch(
      /warning +backup headroom +\d+ MB of 400 MB free .* make room in the backup place/,
    );
  });

  test.each(["full", "incr"])("a %s backup without room is refused at once, and says so", async (kind) => {
    await fillBackups("4 * 1024");
    const started = performance.now();
    const failed = await project.pgstack(["backup", "--kind", kind]);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(
      /no room for a backup in \/backups: at least \d+ bytes are needed and \d+ are free/,
    );
    expect((await project.pgstack(["health"])).stdout).toMatch(
      /warning +backup headroom .* the backup place is full/,
    );
  });

  test("one that loses its room meanwhile says that it was room", async () => {
    await inAgent("rm /backups/filler");
    await fillBackups("20 * 1024");
    let filling: Promise<unknown> | undefined;
    const backup = callAgent<BackupEntry[]>(
      project.target,
      "backup",
      { kind: "full", waitSeconds: 60 },
      {
        onStep: (_text, fraction = 0) => {
          if (fraction > 0) filling ??= inAgent("cat /dev/zero >>/backups/filler 2>/dev/null");
        },
      },
    );
    await expect(backup).rejects.toThrow(
      /no room for a backup in \/backups: \d+ bytes are free; make room there/,
    );
    await filling;
  });

  test("with room again the next one is taken", async () => {
    await inAgent("rm /backups/filler");
    const taken = await project.pgstack(["backup", "--kind", "full"]);
    expect(taken.code, taken.output).toBe(0);
    expect((await project.pgstack(["health"])).stdout).toMatch(/ok +backup headroom/);
  });
});

describe("taking down a stack whose server is held", () => {
  test("destroy is quick", async () => {
    await fillUntil(ballastIsUsed);
    await waitUntilReady(project.target, { timeoutSeconds: 60 });
    await fillUntil(isHeld);
    // The stack's own volume goes with it, where nothing else uses it.
    await backups?.remove({ force: true, v: true });
    backups = undefined;
    const started = performance.now();
    const destroyed = await project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    expect(performance.now() - started).toBeLessThan(90_000);
  });
});
