import { readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../cli/preview-change/free-port.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { TestProject } from "../support/project.ts";
import { errorsOf, writeSql } from "../support/up.ts";

const NOTHING = { containers: [], volumes: [], networks: [] };

/** One stack, whose first `up` fails at one stage after the other and at last succeeds. */
let project: TestProject;

beforeAll(async () => {
  project = await TestProject.create();
  await writeSql(
    project,
    "good.sql",
    "CREATE TABLE public.kept (n int);\nINSERT INTO public.kept VALUES (1);\n",
  );
  await writeSql(
    project,
    "broken.sql",
    "CREATE TABLE public.one ();\nCREATE TABLE public.two ();\nSELECT * FROM nowhere;\n",
  );
  await writeSql(
    project,
    "unhealthy.sql",
    `CREATE FUNCTION pgstack.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no writes today'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON pgstack.health_probe FOR EACH ROW EXECUTE FUNCTION pgstack.refuse();
`,
  );
});

afterAll(() => project?.remove());

describe("P4 before anything is made", () => {
  test("P4 F01 an image that cannot be pulled: one line with image and reason, nothing made", async () => {
    await project.configure({ image: "registry.invalid/postgres:16" });
    const failed = await project.up();
    expect(failed.code).not.toBe(0);
    expect(errorsOf(failed)).toEqual([
      expect.stringMatching(/image registry\.invalid\/postgres:16 cannot be pulled: .+/),
    ]);
    expect(await project.things()).toEqual(NOTHING);
  });

  test("P4 F03 a port that is taken: refused with the port and its holder, nothing made", async () => {
    const port = await freePort();
    await listen(port);
    await project.configure({ publish: true, publishPort: port });
    const failed = await project.up();
    expect(failed.code).not.toBe(0);
    expect(errorsOf(failed)).toEqual([
      expect.stringMatching(
        new RegExp(
          `port ${port} on 127\\.0\\.0\\.1 is in use by process .+ \\(${process.pid}\\): set pgstack:publishPort`,
        ),
      ),
    ]);
    expect(await project.things()).toEqual(NOTHING);
  });
});

describe("P4 half way", () => {
  test("P4 F03 a port that is taken while the stack comes up: no container and no data volume stay", async () => {
    const port = await freePort();
    await project.configure({ publish: true, publishPort: port });
    const failed = await project.up([], {
      onStart: (child) => {
        let output = "";
        child.stdout?.on("data", (piece: Buffer) => {
          output += piece;
          if (output.includes("certificates-authority-file creat")) void listen(port).catch(() => {});
        });
      },
    });
    expect(failed.code).not.toBe(0);
    expect(failed.output).toMatch(/address already in use|port is already allocated/);
    await expectNothingHalfMade();
  });

  test("P4 F02 init SQL that fails at its third statement: container and new volume gone, the log kept", async () => {
    await project.configure({ initSql: ["sql/good.sql", "sql/broken.sql"] });
    const before = await logs();
    const failed = await project.up();
    expect(failed.code).not.toBe(0);
    expect(errorsOf(failed)).toEqual(
      expect.arrayContaining([
        expect.stringContaining(
          'init SQL sql/broken.sql, line 3: relation "nowhere" does not exist (SQLSTATE 42P01)',
        ),
      ]),
    );
    await expectNothingHalfMade();
    const [log, ...more] = (await logs()).filter((name) => !before.includes(name));
    expect(more).toEqual([]);
    const text = await readFile(join(project.directory, "logs", log ?? ""), "utf8");
    expect(text).toContain("reason: init SQL sql/broken.sql");
    expect(text).toContain('ERROR:  relation "nowhere" does not exist');
  });

  test("P4 L1 a health check that fails: up fails and says which, nothing half made", async () => {
    await project.configure({ initSql: ["sql/unhealthy.sql"] });
    const failed = await project.up();
    expect(failed.code).not.toBe(0);
    expect(errorsOf(failed)).toEqual(
      expect.arrayContaining([expect.stringMatching(/health check failed: .*write.*: .*no writes today/)]),
    );
    await expectNothingHalfMade();
  });

  test("P4 after all these the next up finishes, on a cluster of its own, with nothing left over", async () => {
    await project.configure({ initSql: ["sql/good.sql"] });
    const done = await project.up();
    expect(done.code, done.output).toBe(0);
    const name = project.container;
    expect(await project.things()).toEqual({
      containers: [name],
      volumes: [`${name}-configuration`, `${name}-data`],
      networks: [name],
    });
    expect(await queryAsSuperuser(project.target, "SELECT n FROM public.kept", { database: "app" })).toEqual([
      { n: 1 },
    ]);
    expect((await project.pulumi(["preview", "--refresh", "--expect-no-changes"])).code).toBe(0);
  });
});

/** What is left may be used by the next run, and holds no data. */
async function expectNothingHalfMade(): Promise<void> {
  const { containers, volumes } = await project.things();
  expect(containers).toEqual([]);
  expect(volumes).not.toContain(`${project.container}-data`);
}

async function logs(): Promise<string[]> {
  const names = await readdir(join(project.directory, "logs")).catch(() => []);
  return names.filter((name) => name.startsWith(`bootstrap-${project.stack}-`));
}

async function listen(port: number): Promise<void> {
  const server: Server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
}
