import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../cli/preview-change/free-port.ts";
import { dockerEngine, findContainer, findNetwork } from "../../operations/docker.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { errorsOf } from "../support/up.ts";
import { uniqueName } from "../support/volumes.ts";

const docker = dockerEngine();
const SCHEMA_SQL = `CREATE TABLE sales.orders (id int PRIMARY KEY, note text);
INSERT INTO sales.orders VALUES (1, 'first'), (2, 'second');
CREATE TABLE public.visits (n int);
`;
const NO_CHANGES = ["preview", "--refresh", "--expect-no-changes"];

let live: LiveStack;
/** Replaced by one in another folder on the way. */
let project: TestProject;
let settings: Record<string, unknown>;

beforeAll(async () => {
  const port = await freePort();
  settings = { publish: true, publishPort: port, schemas: ["sales"], extensions: ["hstore"] };
  live = await LiveStack.bringUp(settings, async (made) => {
    await mkdir(join(made.directory, "sql"));
    await writeFile(join(made.directory, "sql", "schema.sql"), SCHEMA_SQL);
    settings.initSql = ["sql/schema.sql"];
    return settings;
  });
  project = live.project;
});

afterAll(() => project?.remove());

describe("P1 a first up", () => {
  test("P1 P2 prints what clients need, and hides what is secret", () => {
    const { connection, deployed, passwords } = live.outputs;
    expect(connection.target).toEqual({ ...project.target });
    expect(connection.roles).toEqual({
      administrator: "administrator",
      application: "application",
      readonly: "readonly",
    });
    expect(connection).toMatchObject({ tls: true, serverName: project.container });
    expect(deployed).toMatchObject({
      environment: "test",
      health: "ok",
      networkName: project.container,
      dataVolume: `${project.container}-data`,
      serverVersion: expect.stringMatching(/^16\./),
      systemIdentifier: expect.stringMatching(/^\d+$/),
      image: { reference: TEST_IMAGE, pinned: expect.stringContaining("sha256:") },
    });
    expect(live.firstUp.output).toMatch(/passwords *: \[secret\]/);
    for (const password of Object.values(passwords)) expect(live.firstUp.output).not.toContain(password);
  });

  test("P1 leaves a container that Docker finds healthy, two volumes and two networks of its own", async () => {
    const name = project.container;
    expect(await project.things()).toEqual({
      containers: [name],
      volumes: [`${name}-configuration`, `${name}-data`],
      networks: [name, `${name}-access`],
    });
    expect((await findNetwork(docker, name))?.Internal).toBe(true);
    await expect
      .poll(async () => (await findContainer(docker, name))?.State.Health?.Status, { timeout: 20_000 })
      .toBe("healthy");
  });

  test.each(["administrator", "application", "readonly"] as const)(
    "P1 S1 the %s signs in with what was printed",
    async (kind) => {
      const session = await live.session(kind, { route: "published" });
      expect((await session.query("SELECT current_user AS name")).rows).toEqual([{ name: kind }]);
      await session.end();
    },
  );
});

describe("P6 server defaults", () => {
  test("P6 every default is what pg_settings shows", async () => {
    const expected: Record<string, string> = {
      listen_addresses: "*",
      port: "5432",
      max_connections: "100",
      superuser_reserved_connections: "3",
      effective_cache_size: "1GB",
      work_mem: "4MB",
      maintenance_work_mem: "64MB",
      wal_level: "replica",
      max_wal_size: "1GB",
      min_wal_size: "80MB",
      random_page_cost: "1.1",
      effective_io_concurrency: "200",
      logging_collector: "on",
      log_rotation_age: "1d",
      log_rotation_size: "100MB",
      log_line_prefix: "%t [%p] %u@%d ",
      log_statement: "mod",
      shared_preload_libraries: "pg_stat_statements",
      "pg_stat_statements.track": "all",
      lc_messages: "C",
      lc_monetary: "C",
      lc_numeric: "C",
      lc_time: "C",
      server_encoding: "UTF8",
      data_checksums: "on",
    };
    const names = Object.keys(expected).map((name) => `('${name}')`);
    const session = await live.session("administrator");
    const { rows } = await session.query<{ name: string; value: string }>(
      `SELECT name, current_setting(name) AS value FROM (VALUES ${names.join(", ")}) AS wanted (name)`,
    );
    await session.end();
    expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual(expected);
  });

  test("P6 the test stack's own value stands in the place of the default of shared_buffers", async () => {
    expect(await live.value("current_setting('shared_buffers')")).toBe("64MB");
  });

  test("P6 the database has the locale C and encoding UTF8", async () => {
    const [row] = await queryAsSuperuser(
      project.target,
      "SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype FROM pg_database WHERE datname = 'app'",
    );
    expect(row).toEqual({ encoding: "UTF8", datcollate: "C", datctype: "C" });
  });
});

describe("P7 what is in the database", () => {
  test("P7 the three extensions and the one by config", async () => {
    const rows = await queryAsSuperuser<{ extname: string }>(
      project.target,
      "SELECT extname FROM pg_extension ORDER BY 1",
      { database: "app" },
    );
    expect(rows.map(({ extname }) => extname)).toEqual([
      ...["hstore", "pg_stat_statements", "pgcrypto", "plpgsql", "uuid-ossp"],
    ]);
  });

  test("P7 S1 the schema by config, with what the init SQL made: the application writes, the reader reads", async () => {
    const application = await live.session("application");
    await application.query("INSERT INTO sales.orders VALUES (3, 'third')");
    await application.end();
    const reader = await live.session("readonly");
    expect((await reader.query("SELECT count(*)::int AS n FROM sales.orders")).rows).toEqual([{ n: 3 }]);
    await reader.end();
  });
});

describe("P8 connection information", () => {
  test("P8 text is proven by a query, and hides the password", async () => {
    const { code, stdout, stderr } = await project.pgstack(["connection-info", "--role", "application"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/proven: application on app, PostgreSQL 16/);
    expect(stdout).toContain("sslmode=verify-full");
    expect(stdout).not.toContain(live.outputs.passwords.application);
  });

  test("P8 JSON shows the password when asked, and a client connects by these very values", async () => {
    const shown = await project.pgstack([
      ...["connection-info", "--role", "readonly", "--format", "json", "--show-secrets"],
    ]);
    const info = JSON.parse(shown.stdout);
    expect(info).toMatchObject({ user: "readonly", database: "app", sslmode: "verify-full" });
    expect(info.password).toBe(live.outputs.passwords.readonly);
    const answer = await project.run("psql", ["--no-psqlrc", "-Atc", "SELECT current_user"], {
      environment: info.environment,
    });
    expect(answer.output.trim()).toBe("readonly");
  });
});

describe("P3 P5 changes", () => {
  test("P3 a second up and a preview with refresh change nothing", async () => {
    const up = await project.up();
    expect(up.output).toMatch(/24 unchanged|2\d unchanged/);
    expect(up.output).not.toMatch(/created|updated|replaced|deleted/);
    const preview = await project.pulumi(NO_CHANGES);
    expect(preview.code, preview.output).toBe(0);
  });

  test("P5 a setting that takes a reload is in force without a restart", async () => {
    const before = await live.startTime();
    settings.workMem = "8MB";
    settings.serverSettings = { log_min_duration_statement: "750ms" };
    await live.change(settings);
    const session = await live.session("readonly");
    const { rows } = await session.query(
      "SELECT current_setting('work_mem') AS memory, current_setting('log_min_duration_statement') AS slow",
    );
    await session.end();
    expect(rows).toEqual([{ memory: "8MB", slow: "750ms" }]);
    expect(await live.startTime()).toBe(before);
  });

  test("P5 a setting that takes a restart is shown by preview as a new container; the data stays", async () => {
    const before = await live.startTime();
    settings.maxConnections = 60;
    await project.configure(settings);
    const preview = await project.pulumi(["preview", "--diff"]);
    expect(preview.output).toMatch(/\+-docker:index\/container:Container: \(replace\)/);
    expect(preview.output).not.toMatch(/-docker:index\/volume:Volume/);
    expect(await live.startTime()).toBe(before);
    await live.up();
    expect(await live.value("current_setting('max_connections')")).toBe("60");
    expect(await live.startTime()).not.toBe(before);
    expect(await live.value("(SELECT string_agg(note, ',' ORDER BY id) FROM sales.orders)")).toBe(
      "first,second,third",
    );
    expect(await project.pulumi(NO_CHANGES)).toMatchObject({ code: 0 });
  });

  test("P2 a preview shows when the same reference means another image", async () => {
    const reference = `${uniqueName("image")}:16`;
    const made = docker.getContainer((await docker.createContainer({ Image: TEST_IMAGE })).id);
    try {
      const [repo = "", tag = ""] = reference.split(":");
      await docker.getImage(TEST_IMAGE).tag({ repo, tag });
      await project.configure({ ...settings, image: reference });
      const same = await project.pulumi(["preview", "--diff"], { environment: { PGSTACK_IMAGE: "" } });
      expect(same.output).not.toMatch(/Container: \(replace\)/);
      await made.commit({ repo, tag, comment: "a newer one" });
      const newer = await project.pulumi(["preview", "--diff"], { environment: { PGSTACK_IMAGE: "" } });
      const { Id: id } = await docker.getImage(reference).inspect();
      expect(newer.output).toMatch(/Container: \(replace\)/);
      expect(newer.output).toContain(`=> "${id}"`);
    } finally {
      await project.configure(settings);
      await made.remove({ v: true });
      await docker.getImage(reference).remove();
    }
  });
});

describe("P3 L9 elsewhere and away", () => {
  test("P3 from another folder nothing is to be changed either", async () => {
    project = await project.moved();
    const preview = await project.pulumi(NO_CHANGES);
    expect(preview.code, preview.output).toBe(0);
  });

  test("P3 L9 a destroy from another folder leaves nothing", async () => {
    const destroyed = await project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    expect(await project.things()).toEqual({ containers: [], volumes: [], networks: [] });
  });
});

describe("P5 wrong settings", () => {
  let refusing: TestProject;
  beforeAll(async () => {
    refusing = await TestProject.create();
  });
  afterAll(() => refusing?.remove());

  test("P5 an unknown key, a wrong type and an impossible value end the run with a line each, before anything is made", async () => {
    await refusing.configure({ databseName: "shop", maxConnections: "many", sharedBuffers: "2GB" });
    const { code, output } = await refusing.up();
    expect(code).not.toBe(0);
    // Pulumi shows an error as it comes, and again at the end; its further lines are indented.
    const told = new Set(
      output.split("\n").flatMap((text) => /(?:error: |^ {4})(pgstack:.+)$/.exec(text)?.[1] ?? []),
    );
    expect([...told]).toEqual([
      expect.stringContaining("pgstack:maxConnections is"),
      expect.stringContaining("pgstack:sharedBuffers is"),
      "pgstack:databseName is not a setting; did you mean pgstack:databaseName?",
    ]);
    expect(errorsOf({ code, stdout: "", stderr: "", output })).toHaveLength(1);
    expect(output).not.toMatch(/\n\s+at .+:\d+/);
    expect(await refusing.things()).toEqual({ containers: [], volumes: [], networks: [] });
  });
});
