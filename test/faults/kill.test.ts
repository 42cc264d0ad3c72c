import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { expectFinished, killedUp } from "../support/killed-up.ts";
import { processesIn } from "../support/processes.ts";
import { TestProject } from "../support/project.ts";
import { writeSql } from "../support/up.ts";

let project: TestProject;

beforeAll(async () => {
  project = await TestProject.create();
  const sql = await writeSql(
    project,
    "rows.sql",
    "CREATE TABLE public.rows (n int);\nINSERT INTO public.rows VALUES (1);\nSELECT pg_sleep(0.5);\n",
  );
  await project.configure({ initSql: [sql] });
});

afterAll(() => project?.remove());

describe("F04 a first up killed again and again", () => {
  test.each([
    { stage: "network and volumes", text: "volume-configuration creating" },
    { stage: "the configuration", text: "server-configuration creating" },
    { stage: "the container", text: "Container server creating" },
    { stage: "the roles", text: "database-administrator creating" },
    { stage: "the init SQL", text: "Database database creating", after: 300 },
    { stage: "the health check", text: "HealthCheck health creating" },
  ])(
    "F04 P4 with SIGKILL at $stage: the lock that is left is told, and released as npm start does",
    async (point) => {
      expect(await killedUp(project, point)).toBe(true);
      const locked = await project.up();
      expect(locked.code).not.toBe(0);
      expect(locked.output).toContain("pulumi cancel");
      const released = await project.releaseDeadLocks();
      expect(released.stderr).toMatch(
        /A run that was killed \(process \d+\) left its lock on stack \S+: it is released/,
      );
    },
  );

  test("F04 P4 the next up finishes, the init SQL has run once, and nothing is left over", async () => {
    await expectFinished(project);
    const sql = "SELECT n FROM public.rows";
    expect(await queryAsSuperuser(project.target, sql, { database: "app" })).toEqual([{ n: 1 }]);
  });

  test("F04 no plugin of the killed runs is left", async () => {
    await expect.poll(() => processesIn(project.directory), { timeout: 10_000 }).toEqual([]);
  });

  test("F04 an up that changes the container, killed between the old one's end and the new one's start", async () => {
    await project.configure({ maxConnections: 40 });
    expect(await killedUp(project, { text: "Container server creating replacement" })).toBe(true);
    await expectFinished(project);
    const session = await queryAsSuperuser(project.target, "SELECT current_setting('max_connections') AS n");
    expect(session).toEqual([{ n: "40" }]);
    const sql = "SELECT n FROM public.rows";
    expect(await queryAsSuperuser(project.target, sql, { database: "app" })).toEqual([{ n: 1 }]);
  });
});

describe("F04 F07 a power cut", () => {
  test("F04 F07 P4 in the first initialization: Pulumi and the server end at once; the next up begins it again and finishes", async () => {
    const cut = await TestProject.create();
    let cutting: Promise<void> | undefined;
    try {
      const up = await cut.up([], {
        onStart: (child) => {
          let output = "";
          child.stdout?.on("data", (piece: Buffer) => {
            output += piece;
            if (cutting !== undefined || !output.includes("database-administrator creating")) return;
            cutting = cutPower(cut).finally(() => child.kill("SIGKILL"));
          });
        },
      });
      await cutting;
      expect(up.code).toBe(-1);
      await expectFinished(cut);
      expect((await cut.pgstack(["audit", "--json"])).stdout).toContain("provision.begin-again");
    } finally {
      await cut.remove();
    }
  });
});

/** Ends the server while `initdb` is at work; the container starts again, as with the machine. */
async function cutPower(cut: TestProject): Promise<void> {
  await expect
    .poll(
      async () =>
        (await executeInContainer(cut.target, { command: ["sh", "-c", 'test -s "$PGDATA/PG_VERSION"'] }))
          .exitCode,
      {
        timeout: 10_000,
        interval: 10,
      },
    )
    .toBe(0);
  const container = dockerEngine().getContainer(cut.container);
  await container.kill();
  await container.start();
}
