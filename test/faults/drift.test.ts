import type { ChildProcess } from "node:child_process";
import type Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { type Ended, TestProject } from "../support/project.ts";
import { errorsOf, writeSql } from "../support/up.ts";
import { uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();
const NO_CHANGES = ["preview", "--refresh", "--expect-no-changes"];

let project: TestProject;

beforeAll(async () => {
  project = await TestProject.create();
  const sql = await writeSql(project, "rows.sql", "CREATE TABLE public.rows (n int PRIMARY KEY);");
  await project.configure({ initSql: [sql] });
});

afterAll(() => project?.remove());

describe("F39 two at once", () => {
  test("F39 P4 a second up during the first is refused at once; the first is unharmed", async () => {
    let second: Promise<{ ended: Ended; milliseconds: number }> | undefined;
    const first = await project.up([], {
      onStart: (child) =>
        onOutput(child, "server creating", () => {
          const started = performance.now();
          second = project.up().then((ended) => ({ ended, milliseconds: performance.now() - started }));
        }),
    });
    expect(first.code, first.output).toBe(0);
    const refused = await second;
    expect(refused?.ended.code).not.toBe(0);
    expect(refused?.ended.output).toMatch(/the stack is currently locked by 1 lock/);
    expect(refused?.milliseconds).toBeLessThan(5_000);
    expect((await project.pulumi(NO_CHANGES)).code).toBe(0);
  });
});

describe("F08 by hand in Docker", () => {
  test("F08 the container stopped by hand: up starts it", async () => {
    await insert(1);
    await docker.getContainer(project.container).stop();
    const up = await project.up();
    expect(up.code, up.output).toBe(0);
    expect(await rows()).toEqual([1]);
    expect((await project.pulumi(NO_CHANGES)).code).toBe(0);
  });

  test("F08 the network removed by hand: up makes it again, and the server is in it", async () => {
    await docker.getNetwork(project.container).disconnect({ Container: project.container, Force: true });
    await docker.getNetwork(project.container).remove();
    const up = await project.up();
    expect(up.code, up.output).toBe(0);
    const container = await findContainer(docker, project.container);
    expect(Object.keys(container?.NetworkSettings.Networks ?? {})).toEqual([project.container]);
    expect(await rows()).toEqual([1]);
    expect((await project.pulumi(NO_CHANGES)).code).toBe(0);
  });
});

describe("F50 a second server", () => {
  test("F50 made like the stack's own, on the volume in use: refused by the lock; the first goes on, nothing lost", async () => {
    const { Config, HostConfig } = await docker.getContainer(project.container).inspect();
    const ended = await runOnce({
      ...Config,
      Hostname: "",
      HostConfig: { ...HostConfig, RestartPolicy: { Name: "no" } },
    });
    expect(ended.exitCode).toBe(1);
    expect(ended.log).toContain("another server of this stack runs on the data volume");
    await insert(2);
    expect(await rows()).toEqual([1, 2]);
  });

  test.each([
    [
      "on the cluster's folder",
      4,
      "/var/lib/postgresql/data/current",
      /could not open configuration file "\/etc\/pgstack\/postgresql\.conf"/,
    ],
    ["on the volume's root", 3, "/var/lib/postgresql/data", /directory "\S+" exists but is not empty/],
  ])(
    "F50 made by hand from the plain image, %s: refused; nothing lost",
    async (_where, row, place, refusal) => {
      const ended = await runOnce({
        User: "postgres",
        Env: [`PGDATA=${place}`, "POSTGRES_HOST_AUTH_METHOD=trust"],
        HostConfig: {
          NetworkMode: "none",
          Mounts: [
            { Type: "volume", Source: `${project.container}-data`, Target: "/var/lib/postgresql/data" },
          ],
        },
      });
      expect(ended.exitCode).toBe(1);
      expect(ended.log).toMatch(refusal);
      await insert(row);
      expect(await rows()).toContain(row);
    },
  );
});

describe("F49 F05 the volume behind Pulumi's back", () => {
  test("F49 emptied: an error that names it, and nothing is made", async () => {
    await remove();
    const name = `${project.container}-data`;
    const { Labels } = await docker.getVolume(name).inspect();
    await docker.getVolume(name).remove();
    await docker.createVolume({ Name: name, Labels: Labels ?? {} });
    await expectRefused(
      /data volume \S+-data does not hold the stack's database any more; stack \S+ had cluster \d+ there/,
    );
  });

  test("F49 removed: an error that names it, and nothing is made in its place", async () => {
    await docker.getVolume(`${project.container}-data`).remove();
    await expectRefused(/data volume \S+-data is gone; stack \S+ had cluster \d+ there/);
    expect((await project.things()).volumes).toEqual([`${project.container}-configuration`]);
  });

  test("F49 the way out that the error names gives the stack up, and it can be made anew", async () => {
    const destroyed = await project.pulumi(["destroy", "--refresh=false", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    expect(await project.things()).toEqual({ containers: [], volumes: [], networks: [] });
    const up = await project.up();
    expect(up.code, up.output).toBe(0);
    expect(await rows()).toEqual([]);
  });
});

async function expectRefused(message: RegExp): Promise<void> {
  for (const command of [["up", "--yes", "--skip-preview"], ["preview"]]) {
    const refused = await project.pulumi(command);
    expect(refused.code, refused.output).not.toBe(0);
    expect(errorsOf(refused)).toEqual(expect.arrayContaining([expect.stringMatching(message)]));
    expect(refused.output).not.toMatch(/\n\s+at .+:\d+/);
    expect((await project.things()).containers).toEqual([]);
  }
}

/** Runs a container until it ends by itself. */
async function runOnce(options: Docker.ContainerCreateOptions): Promise<{ exitCode: number; log: string }> {
  const container = await docker.createContainer({
    ...options,
    name: uniqueName("second"),
    Image: TEST_IMAGE,
  });
  try {
    await container.start();
    const { StatusCode } = await container.wait();
    const log = String(await container.logs({ stdout: true, stderr: true, follow: false }));
    return { exitCode: StatusCode, log };
  } finally {
    await container.remove({ force: true, v: true });
  }
}

/** Removes the server's container by hand, so that its volumes can be. */
async function remove(): Promise<void> {
  await docker.getContainer(project.container).remove({ force: true });
}

async function insert(n: number): Promise<void> {
  await runAsSuperuser(project.target, `INSERT INTO public.rows VALUES (${n})`, { database: "app" });
}

async function rows(): Promise<number[]> {
  const sql = "SELECT n FROM public.rows ORDER BY n";
  return (await queryAsSuperuser<{ n: number }>(project.target, sql, { database: "app" })).map(({ n }) => n);
}

/** Calls back once, as soon as a run has printed a text. */
function onOutput(child: ChildProcess, text: string, then: () => void): void {
  let output = "";
  let called = false;
  child.stdout?.on("data", (piece: Buffer) => {
    output += piece;
    if (called || !output.includes(text)) return;
    called = true;
    then();
  });
}
