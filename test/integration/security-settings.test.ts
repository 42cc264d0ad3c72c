import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { issueCertificates } from "../../operations/certificates.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { identifier } from "../../operations/sql.ts";
import { TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { handshake } from "../support/security/tls-handshake.ts";
import { refusal } from "../support/settings.ts";

const ODD = '\'; DROP TABLE x; -- "$(touch pwned)" `touch pwned` \\ %s $HOME';
const DOMAIN = "db.example.org";

/** Fails when any of the texts was run by a shell, on this side or in the container. */
async function expectNothingRun(stack: LiveStack): Promise<void> {
  const files = await readdir(stack.project.directory, { recursive: true });
  expect(files.filter((file) => /(^|\/)pwned/.test(file))).toEqual([]);
  expect(
    await stack.inside("find / -xdev -name 'pwned*' 2>/dev/null; find \"$PGDATA\" /tmp -name 'pwned*'"),
  ).toBe("");
}

describe("F15 the settings of a stack", () => {
  let stack: LiveStack;
  const certificates = 'cert\'s "$(touch pwned)"; `touch pwned` & more';
  const logs = 'logs\'; $(touch pwned) "x"';
  const sql = 'sql/it\'s $(touch pwned); "x".sql';

  beforeAll(async () => {
    stack = await LiveStack.bringUp({}, async ({ directory }) => {
      const folder = join(directory, certificates, DOMAIN);
      await mkdir(folder, { recursive: true });
      const issued = await issueCertificates({ commonName: DOMAIN, names: [DOMAIN], addresses: [] });
      await writeFile(join(folder, "fullchain.pem"), issued.certificate + issued.authority.certificate);
      await writeFile(join(folder, "privkey.pem"), issued.key, { mode: 0o600 });
      await mkdir(join(directory, "sql"));
      await writeFile(join(directory, sql), "CREATE TABLE public.initial (text text);\n");
      return {
        tls: { mode: "files", certificatesDirectory: certificates, domain: DOMAIN },
        logsDirectory: logs,
        initSql: [sql],
        labels: { note: ODD },
        serverSettings: { "pgstack.note": ODD, log_line_prefix: `%t [%p] %u@%d ${ODD.replaceAll("%", "")} ` },
      };
    });
  });

  afterAll(async () => {
    await stack?.project.remove();
  });

  test("F15 with quotes, semicolons, backslashes and $() arrive as they are, and nothing of them is run", async () => {
    expect(await stack.value("current_setting('pgstack.note')")).toBe(ODD);
    const { Config } = await dockerEngine().getContainer(stack.target.container).inspect();
    expect(Config.Labels.note).toBe(ODD);
    expect(await handshake(stack.target, {})).toMatchObject({ protocol: "TLSv1.3" });
    expect(await stack.value("to_regclass('public.initial')")).toBe("public.initial");
    const written = await readdir(join(stack.project.directory, logs));
    expect(written.some((name) => name.startsWith("audit-"))).toBe(true);
    await expectNothingRun(stack);
    expect((await stack.project.pulumi(["preview", "--expect-no-changes"])).code).toBe(0);
  });
});

describe("F15 names that are none", () => {
  const KEYS = ["databaseName", "applicationRole", "schemas", "networkName", "extensions"];
  let project: TestProject;

  beforeAll(async () => {
    project = await TestProject.create();
  });
  afterAll(() => project?.remove());

  test.each([
    ["a quote", "app'"],
    ["a semicolon", "app; DROP DATABASE postgres"],
    ["a command", "$(touch pwned)"],
    ["a line break", "app\nhost all all all trust"],
    ["a NUL byte", "app\u0000"],
    ["an option", "-c config_file=/tmp/x"],
  ])("F15 names with %s are refused by every setting that takes one", (_, name) => {
    const list = JSON.stringify([name]);
    const refused = refusal({
      ...{ databaseName: name, applicationRole: name, schemas: list, networkName: name, extensions: list },
    });
    for (const key of KEYS)
      expect(refused).toContainEqual(
        expect.stringMatching(new RegExp(`^pgstack:${key}(\\.0)? (is|has) .*; it must be `)),
      );
  });

  test.each<[string, Record<string, unknown>, readonly string[]]>([
    [
      "quotes, semicolons, commands, line breaks and NUL bytes",
      {
        ...{
          databaseName: "app'",
          applicationRole: "app; DROP DATABASE postgres",
          schemas: ["$(touch pwned)"],
        },
        ...{ networkName: "app\nhost all all all trust", extensions: ["app\u0000"] },
      },
      KEYS,
    ],
    // A longer text than the operating system hands to a program does not even reach the settings.
    ["10 MB", { databaseName: "a".repeat(10_000_000) }, []],
  ])("F15 names with %s end an up before anything is touched", async (_, settings, keys) => {
    await project.configure(settings);
    const { code, output } = await project.up();
    expect(code).not.toBe(0);
    expect(output.length).toBeLessThan(10_000);
    for (const key of keys)
      expect(output).toMatch(new RegExp(`pgstack:${key}(\\.0)? (is|has) [^\\n]*; it must be `));
    expect(await project.things()).toEqual({ containers: [], volumes: [], networks: [] });
    expect((await readdir(project.directory)).filter((file) => file.startsWith("pwned"))).toEqual([]);
  });
});

describe("F15 G1 the components by themselves, with every name that PostgreSQL takes", () => {
  let stack: LiveStack;
  const names = {
    databaseName: 'it\'s "odd"; DROP DATABASE postgres; -- $(touch pwned)',
    roles: {
      administrator: 'admin"istrator; $(touch pwned)',
      application: "app'; DROP ROLE postgres; --",
      readonly: "all \\ +`touch pwned` @x",
    },
    schemas: ["line\nbreak; $(touch pwned)", "quo\"ted'", "public2 -- "],
  };

  beforeAll(async () => {
    process.env.ODD_NAMES = JSON.stringify(names);
    stack = await LiveStack.bringUp({}, async ({ directory }) => {
      const program = await readFile(new URL("../support/programs/odd-names.ts", import.meta.url), "utf8");
      await writeFile(join(directory, "index.ts"), program.replaceAll('"../../../', '"./'));
      return {};
    });
  });

  afterAll(async () => {
    delete process.env.ODD_NAMES;
    await stack?.project.remove();
  });

  test("F15 database, roles and schemas have these very names, and every role works", async () => {
    for (const kind of ["administrator", "application", "readonly"] as const) {
      const session = await stack.session(kind);
      const { rows } = await session.query("SELECT current_user AS role, current_database() AS database");
      expect(rows).toEqual([{ role: names.roles[kind], database: names.databaseName }]);
      await session.end();
    }
    const administrator = await stack.session("administrator");
    const application = await stack.session("application");
    const readonly = await stack.session("readonly");
    for (const schema of names.schemas) {
      const table = `${identifier(schema)}.t`;
      await administrator.query(`CREATE TABLE ${table} (id integer)`);
      await application.query(`INSERT INTO ${table} VALUES (1)`);
      expect((await readonly.query(`SELECT id FROM ${table}`)).rows).toEqual([{ id: 1 }]);
      await expect(readonly.query(`INSERT INTO ${table} VALUES (2)`)).rejects.toMatchObject({
        code: "25006",
      });
    }
    for (const session of [administrator, application, readonly]) await session.end();
    expect(await stack.value("current_setting('pgstack.note')")).toBe(
      "'; DROP TABLE x; -- $(touch pwned) \\",
    );
  });

  test("F15 P3 a further run changes nothing, destroy works, and nothing of the names was ever run", async () => {
    const again = await stack.project.pulumi(["preview", "--expect-no-changes"]);
    expect(again.code, again.output).toBe(0);
    await expectNothingRun(stack);
    const destroyed = await stack.project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    expect(await stack.project.things()).toEqual({ containers: [], volumes: [], networks: [] });
  });
});
