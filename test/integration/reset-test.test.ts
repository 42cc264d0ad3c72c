import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DatabaseSpecification } from "../../operations/database.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { MARK } from "../../operations/testing/names.ts";
import { type ResetOptions, resetToSnapshot } from "../../operations/testing.ts";
import { Manual } from "../support/manual.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const SETTINGS = {
  serverSettings: {
    fsync: false,
    full_page_writes: false,
    synchronous_commit: false,
    max_prepared_transactions: 2,
  },
  testSnapshot: "standard",
};

let stack: LiveStack;
let specification: DatabaseSpecification;

beforeAll(async () => {
  stack = await LiveStack.bringUp(SETTINGS);
  const outputs = await stack.project.outputs<{ testing: { specification: DatabaseSpecification } }>();
  ({ specification } = outputs.testing);
});

afterAll(() => stack?.project.remove());

async function sql(text: string, database = "app"): Promise<void> {
  await runAsSuperuser(stack.target, text, { database });
}

/** What a reset goes by in this stack; another specification than the command's would have another template. */
function options(name = "standard"): ResetOptions {
  return { project: stack.project.directory, name, specification };
}

async function reset(name?: string): Promise<void> {
  await resetToSnapshot(stack.target, options(name));
}

async function resetByCommand() {
  const ended = await stack.project.pgstack(["reset-test"]);
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

async function refused(...words: string[]): Promise<string> {
  const ended = await stack.project.pgstack(words);
  expect(ended.code, ended.output).toBe(1);
  expect(ended.stderr.trim().split("\n").at(-1)).toMatch(/^pgstack: /);
  return ended.stderr;
}

function snapshotPath(name: string): string {
  return join(stack.project.directory, "snapshots", name);
}

/** Databases of the cluster beside those that every one has. */
async function served(): Promise<string[]> {
  const list = await stack.value(
    "(SELECT string_agg(regexp_replace(datname, '_[0-9a-f]{8,12}', '', 'g'), ',' ORDER BY datname) FROM pg_database WHERE datname LIKE 'pgstack%')",
  );
  return (list ?? "").split(",").filter((name) => name !== "");
}

describe("T1 T2 a stack with a snapshot", () => {
  test("T1 up brings the database to it, with what the stack declares; nothing is left for the next preview", async () => {
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("12000");
    const application = await stack.session("application");
    await application.query("SELECT set_app_user('00000000-0000-0000-0000-000000000000')");
    expect((await application.query("SELECT count(*)::int AS n FROM tenants")).rows).toEqual([{ n: 0 }]);
    await application.end();
    expect(await served()).toEqual(["pgstack_spare", "pgstack_template"]);
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
    expect(
      await stack.value(
        "(SELECT string_agg(DISTINCT pg_get_userbyid(typowner), ',') FROM pg_type WHERE typtype = 'e')",
      ),
    ).toBe("administrator");
  });

  test("T1 another SQL in the file, made a snapshot anew: the next up resets the database", async () => {
    await appendFile(snapshotPath("standard.sql"), "CREATE TABLE public.added AS SELECT 1 AS n;\n");
    expect(await refused("reset-test")).toMatch(/snapshots\/standard\.sql was changed since it was made/);
    const created = await stack.project.pgstack([
      "snapshot",
      "create",
      "standard",
      "--from",
      "snapshots/standard.sql",
    ]);
    expect(created.code, created.output).toBe(0);
    await stack.up();
    expect(await stack.value("(SELECT n FROM public.added)")).toBe("1");
    // The former template has gone, with its copies.
    expect(await served()).toEqual(["pgstack_spare", "pgstack_template"]);
  });
});

describe("T2 reset-test", () => {
  beforeEach(() => reset());

  test("T2 rows, sequences, tables, functions, grants, extensions and settings are as in the snapshot", async () => {
    await sql(`
      DELETE FROM public.order_lines; SELECT setval('public.orders_id_seq', 99999); DROP FUNCTION public.set_app_user;
      ALTER TABLE public.users ADD COLUMN extra int; CREATE TABLE public.mine (n int); CREATE SCHEMA other;
      GRANT ALL ON public.tenants TO PUBLIC; DROP EXTENSION pgcrypto; CREATE EXTENSION hstore;
      ALTER DATABASE app SET work_mem = '1GB';`);
    await resetByCommand();
    expect(
      await stack.value(`(SELECT json_build_array(
        (SELECT count(*) FROM public.order_lines), nextval('public.orders_id_seq'), to_regprocedure('public.set_app_user(uuid)') IS NOT NULL,
        (SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname = 'extra'), to_regclass('public.mine'),
        to_regnamespace('other'), (SELECT count(*) FROM pg_extension WHERE extname = 'pgcrypto'), (SELECT count(*) FROM pg_extension WHERE extname = 'hstore'),
        has_table_privilege('public', 'public.tenants', 'SELECT'),
        (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = 'app')))`),
    ).toBe("[24000, 12001, true, 0, null, null, 1, 0, false, 0]");
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
  });

  test("F33 fifty clients in transactions: they are told, and the reset is in time", async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => stack.session("application")));
    const told: string[] = [];
    for (const client of clients) {
      client.on("error", (error: Error & { code?: string }) => told.push(error.code ?? error.message));
      await client.query("BEGIN");
      await client.query("SELECT set_app_user(gen_random_uuid()), count(*) FROM public.orders");
    }
    const ended = await resetByCommand();
    const [, closed = "", sessions = ""] =
      /closed for ([\d.]+) ms, (\d+) sessions ended/.exec(ended.stdout) ?? [];
    expect(Number(sessions)).toBe(clients.length);
    expect(Number(closed)).toBeLessThan(2_000);
    await expect
      .poll(() => told.filter((code) => code === "57P01").length, { timeout: 20_000 })
      .toBe(clients.length);
    const again = await stack.session("application");
    await again.end();
  });

  test("F58 owner, access list, limit of connections and both kinds of settings are as in the snapshot", async () => {
    await sql(`
      ALTER DATABASE app CONNECTION LIMIT 17; ALTER DATABASE app SET search_path = public, "My Schema";
      ALTER ROLE application IN DATABASE app SET statement_timeout = '7s';`);
    const created = await stack.project.pgstack(["snapshot", "create", "own"]);
    expect(created.code, created.output).toBe(0);
    const attributes = `(SELECT json_build_array(pg_get_userbyid(datdba), datconnlimit, datacl::text,
      (SELECT json_agg(setconfig::text ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)) FROM pg_database d WHERE datname = 'app')`;
    const before = await stack.value(attributes);
    expect(before).toMatch(/administrator.*17.*My Schema.*statement_timeout=7s/s);
    await sql(
      "ALTER DATABASE app CONNECTION LIMIT 3; ALTER DATABASE app RESET ALL; GRANT ALL ON DATABASE app TO PUBLIC;",
    );
    await reset("own");
    expect(await stack.value(attributes)).toBe(before);
    const verified = await stack.project.pgstack(["snapshot", "verify", "own", "--load"]);
    expect(verified.code, verified.output).toBe(0);
  });

  test("F57 nobody can sit in a template: it takes no connections", async () => {
    const template = await stack.value(
      "(SELECT datname FROM pg_database WHERE datname LIKE 'pgstack\\_template%' LIMIT 1)",
    );
    await expect(sql("SELECT 1", template ?? "")).rejects.toThrow(/not currently accepting connections/);
  });

  test("T2 a prepared transaction is named, and the database stays open", async () => {
    await sql("BEGIN; CREATE TABLE public.half (n int); PREPARE TRANSACTION 'half';");
    expect(await refused("reset-test")).toMatch(/being accessed by other users|prepared/);
    expect(await stack.value("1")).toBe("1");
    await sql("ROLLBACK PREPARED 'half';");
    await reset();
  });

  test("F36 what a reset that was cut off has left is mended by the next one", async () => {
    await sql(
      `ALTER DATABASE app ALLOW_CONNECTIONS false; CREATE DATABASE pgstack_old_00000000; COMMENT ON DATABASE pgstack_old_00000000 IS '${MARK}';`,
      "postgres",
    );
    await reset();
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("12000");
    await sql(
      `ALTER DATABASE app RENAME TO pgstack_old_11111111; COMMENT ON DATABASE pgstack_old_11111111 IS '${MARK}';`,
      "postgres",
    );
    await reset();
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("12000");
    expect((await served()).filter((name) => name.startsWith("pgstack_old"))).toEqual([]);
  });

  test("A0 what bears no mark of the stack is dropped by nothing, whatever its name", async () => {
    await reset();
    const key = await stack.value(
      "(SELECT substr(datname, 18) FROM pg_database WHERE datname LIKE 'pgstack\\_template\\_%' LIMIT 1)",
    );
    const names = ["building_mine", "old_mine", `spare_${key}_mine`, "test_mine"].map(
      (name) => `pgstack_${name}`,
    );
    try {
      for (const name of names) await sql(`CREATE DATABASE ${name};`, "postgres");
      // A template that is being made is left alone for an hour.
      await stack.inside('find "$PGDATA/base" -name PG_VERSION -exec touch -d "2 hours ago" {} +');
      // A snapshot that was made anew has its former template dropped, with that one's copies.
      await appendFile(snapshotPath("standard.sql"), "-- Made anew.\n");
      for (const words of [
        ["snapshot", "create", "standard", "--from", "snapshots/standard.sql"],
        ["reset-test"],
        ["test-db", "acquire", "--seconds", "1"],
      ]) {
        const ended = await stack.project.pgstack(words);
        expect(ended.code, ended.output).toBe(0);
      }
      // A lease alone makes no database one of the pool's.
      await sql(
        "INSERT INTO pgstack_test.leases (database, key, state) VALUES ('pgstack_test_mine', 'none', 'dirty')",
        "postgres",
      );
      const acquired = await stack.project.pgstack(["test-db", "acquire", "--seconds", "1"]);
      expect(acquired.code, acquired.output).toBe(0);
      expect(await stack.project.pgstack(["test-db", "list"])).toMatchObject({
        stdout: expect.not.stringContaining("mine"),
      });
      expect(
        await stack.value(
          `(SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE datname LIKE 'pgstack%mine')`,
        ),
      ).toBe(JSON.stringify(names).replaceAll(",", ", "));
    } finally {
      for (const name of names) await sql(`DROP DATABASE IF EXISTS ${name};`, "postgres");
    }
  });

  test("B a list in the settings of a database is never SQL, in its template or in a copy", async () => {
    const mark = "/tmp/by-search-path";
    // One name for PostgreSQL, as it has no blank and no comma; ALTER DATABASE keeps it as it is.
    const path = `public;COPY(SELECT/**/1)TO/**/PROGRAM'id>${mark}'`;
    const session = await stack.session("administrator");
    await session.query("SELECT set_config('search_path', $1, false)", [path]);
    await session.query("ALTER DATABASE app SET search_path FROM CURRENT");
    await session.end();
    const created = await stack.project.pgstack(["snapshot", "create", "listed"]);
    expect(created.code, created.output).toBe(0);
    await reset("listed");
    expect(await stack.inside(`cat ${mark} 2>/dev/null || true`)).toBe("");
    const kept = await stack.value(
      "(SELECT setconfig[1] FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = 'app')",
    );
    expect(kept).toBe(`search_path="${path}"`);
    await reset();
  });

  test("T2 two at once: one after the other, both done", async () => {
    const both = await Promise.all([resetByCommand(), resetByCommand()]);
    expect(both).toHaveLength(2);
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("12000");
  });

  test("T2 two at once that find no template: both done, by the one of them that was first", async () => {
    const templates = "FROM pg_database WHERE datname LIKE 'pgstack\\_template\\_%'";
    await sql(
      `SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) ${templates} \\gexec
SELECT format('DROP DATABASE %I', datname) ${templates} \\gexec\n`,
      "postgres",
    );
    await Promise.all([reset(), reset()]);
    expect(await stack.value("(SELECT count(*) FROM public.orders)")).toBe("12000");
    expect((await served()).filter((name) => name.startsWith("pgstack_building"))).toEqual([]);
    expect(await stack.value(`(SELECT bool_and(datistemplate) ${templates})`)).toBe("true");
  });
});

describe("T3 docs/testing.md", () => {
  test("T3 each command as it is written", async () => {
    const manual = await Manual.read("testing.md");
    const lines = [...manual.commands("At a glance"), ...manual.commands("Snapshots")];
    const own = lines.filter((line) => line.startsWith("./pgstack --stack ci "));
    expect([lines.length, own.length]).toEqual([8, 7]);
    for (const line of own) {
      const ended = await stack.project.pgstack(line.split(" ").slice(3));
      expect(ended.code, `${line}\n${ended.output}`).toBe(0);
    }
  });
});

describe("M3 row-level security", () => {
  /** Two tenants with their owners, and a tenant that the second one is in alone. */
  const PEOPLE = `SELECT m.user_id AS user, m.tenant_id AS tenant FROM public.memberships m WHERE m.role = 'owner' ORDER BY 1 LIMIT 2`;

  /** Each table, and which of its rows are a user's. */
  const TENANTS = "(SELECT tenant_id FROM public.memberships WHERE user_id = $1)";
  const TABLES = {
    tenants: `id IN ${TENANTS}`,
    users: "id = $1",
    memberships: "user_id = $1",
    projects: `tenant_id IN ${TENANTS}`,
    orders: `tenant_id IN ${TENANTS}`,
    order_lines: `tenant_id IN ${TENANTS}`,
    events: `tenant_id IN ${TENANTS}`,
  };

  test("M3 every table is closed: the user's own rows can be seen and written, and no other ones", async () => {
    const administrator = await stack.session("administrator");
    const { rows: listed } = await administrator.query<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'added' ORDER BY 1",
    );
    expect(listed.map(({ name }) => name)).toEqual(Object.keys(TABLES).toSorted());
    const { rows: people } = await administrator.query<{ user: string }>(PEOPLE);
    const user = people[0]?.user;
    const application = await stack.session("application");
    for (const [table, own] of Object.entries(TABLES)) {
      const { rows } = await administrator.query<{ all: number; own: number }>(
        `SELECT count(*)::int AS all, (count(*) FILTER (WHERE ${own}))::int AS own FROM public.${table}`,
        [user],
      );
      const [there] = rows;
      expect(there?.own, table).toBeGreaterThan(0);
      expect(there?.own, table).toBeLessThan(there?.all ?? 0);
      const seen = async () =>
        (await application.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]?.n;
      expect(await seen(), table).toBe(0);
      await application.query("BEGIN");
      await application.query("SELECT set_app_user($1)", [user]);
      expect(await seen(), table).toBe(there?.own);
      // What cannot be seen cannot be changed either; the cascade of a deletion is the owner's.
      const { rowCount } = await application.query(`DELETE FROM ${table}`);
      expect(rowCount, table).toBe(there?.own);
      await application.query("ROLLBACK");
    }
    await Promise.all([application.end(), administrator.end()]);
  });

  test("M3 each user sees the tenants that are theirs, and nothing without one; the application cannot get around it", async () => {
    const administrator = await stack.session("administrator");
    const { rows: people } = await administrator.query<{ user: string; tenant: string }>(PEOPLE);
    const application = await stack.session("application");
    // One connection, as out of a pool: request after request.
    for (const { user, tenant } of [...people, ...people]) {
      await application.query("BEGIN");
      await application.query("SELECT set_app_user($1)", [user]);
      const mine = await application.query<{ id: string }>("SELECT id FROM tenants");
      expect(mine.rows.map(({ id }) => id)).toContain(tenant);
      const orders = await application.query<{ n: number; others: number }>(
        "SELECT count(*)::int AS n, count(*) FILTER (WHERE tenant_id NOT IN (SELECT app_tenants()))::int AS others FROM orders",
      );
      expect(orders.rows[0]?.n).toBeGreaterThan(0);
      expect(orders.rows[0]?.others).toBe(0);
      await application.query("COMMIT");
      const after = await application.query(
        "SELECT (SELECT count(*) FROM tenants)::int AS t, (SELECT count(*) FROM orders)::int AS o, app_user() AS u",
      );
      expect(after.rows).toEqual([{ t: 0, o: 0, u: null }]);
    }
    await application.query("BEGIN");
    await application.query("SELECT set_app_user($1)", [people[0]?.user]);
    const foreign = await administrator.query<{ id: string }>(
      "SELECT id FROM tenants WHERE id NOT IN (SELECT tenant_id FROM memberships WHERE user_id = $1) LIMIT 1",
      [people[0]?.user],
    );
    await expect(
      application.query("INSERT INTO projects (tenant_id, name) VALUES ($1, 'not mine')", [
        foreign.rows[0]?.id,
      ]),
    ).rejects.toThrow(/row-level security policy/);
    await application.query("ROLLBACK");
    for (const attempt of [
      "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
      "DROP POLICY own_orders ON orders",
      "ALTER ROLE application BYPASSRLS",
      "SET ROLE administrator",
      "CREATE POLICY mine ON orders USING (true)",
    ]) {
      await expect(application.query(attempt), attempt).rejects.toThrow(/must be owner|permission denied/);
    }
    await application.query("SET row_security = off");
    await expect(application.query("SELECT count(*) FROM orders")).rejects.toThrow(/row-level security/);
    expect((await administrator.query("SELECT count(*)::int AS n FROM orders")).rows).toEqual([{ n: 12000 }]);
    await Promise.all([application.end(), administrator.end()]);
  });
});

describe("T1 bad input", () => {
  test("F35 a changed, a missing and an unknown snapshot, a torn metadata.json, a name that is none", async () => {
    const metadata = snapshotPath("metadata.json");
    const text = await readFile(metadata, "utf8");
    expect(await refused("reset-test", "nothing")).toMatch(
      /there is no snapshot nothing: there are .*standard/,
    );
    expect(await refused("snapshot", "create", "../up")).toMatch(/"\.\.\/up" is no snapshot's name/);
    await writeFile(metadata, text.slice(0, 100));
    expect(await refused("snapshot", "list")).toMatch(/metadata\.json cannot be read/);
    await writeFile(metadata, text.replaceAll('"public.orders": 12000', '"public.orders": 12001'));
    const wrong = await stack.project.pgstack(["snapshot", "verify", "standard", "--load"]);
    expect(wrong.stderr).toMatch(/public\.orders has 12000 rows when it is loaded, and 12001 were recorded/);
    await writeFile(metadata, text);
    await writeFile(snapshotPath("bad.sql"), "CREATE TABLE public.a (n int);\nSELECT nonsense;\n");
    expect(await refused("snapshot", "create", "bad", "--from", "snapshots/bad.sql")).toMatch(
      /line 2: column "nonsense"/,
    );
    expect((await served()).filter((name) => name.startsWith("pgstack_building"))).toEqual([]);
  });
});

describe("T2 F34 each of the three places refuses by itself", () => {
  test("F34 the cluster's mark: config and container say test, and the mark is gone, or another stack's", async () => {
    await sql("DROP ROLE pgstack_test_environment;", "postgres");
    expect(await refused("reset-test")).toMatch(/the cluster does not bear the mark/);
    await sql(
      'CREATE ROLE pgstack_test_environment; COMMENT ON ROLE pgstack_test_environment IS \'{"stack":"other"}\';',
      "postgres",
    );
    await expect(resetToSnapshot(stack.target, options())).rejects.toThrow(/does not bear the mark/);
    // A copy of the cluster that was made with a name of its own, and one that was made with the identifier alone.
    for (const mark of [
      "json_build_object('stack', '%s', 'systemIdentifier', '1')",
      "json_build_object('systemIdentifier', system_identifier::text)",
    ].map((text) => text.replace("%s", stack.target.stack))) {
      await sql(
        `SELECT format('COMMENT ON ROLE pgstack_test_environment IS %L', ${mark}::text) FROM pg_control_system() \\gexec\n`,
        "postgres",
      );
      await expect(resetToSnapshot(stack.target, options())).rejects.toThrow(/does not bear the mark/);
    }
    const preview = await stack.project.pulumi(["preview", "--refresh"]);
    expect(preview.output).toMatch(/drift: the mark of the test environment is gone/);
    await stack.up();
    await reset();
  });

  test("F34 config and container: a stack for development, with the mark and the outputs forged", async () => {
    const other = await LiveStack.bringUp({
      environment: "development",
      backup: false,
      memoryLimit: "512MB",
    });
    try {
      const { target, project } = other;
      const plain = await project.pgstack(["reset-test", "standard"]);
      expect([plain.code, plain.stderr]).toEqual([
        1,
        expect.stringMatching(/is for development \(pgstack:environment\)/),
      ]);
      await runAsSuperuser(
        target,
        `CREATE ROLE pgstack_test_environment;
         SELECT format('COMMENT ON ROLE pgstack_test_environment IS %L', json_build_object('stack', '${target.stack}', 'systemIdentifier', system_identifier::text)::text) FROM pg_control_system() \\gexec
`,
      );
      const marked = await project.pgstack(["reset-test", "standard"]);
      expect(marked.stderr).toMatch(/is for development \(pgstack:environment\)/);
      // Past the command's own look at the config: the container still says what it was made for.
      await expect(resetToSnapshot(target, options())).rejects.toThrow(/was made for development/);
      await other.project.configure({ environment: "development", backup: false, testSnapshot: "standard" });
      const declared = await project.up();
      expect(declared.code).not.toBe(0);
      expect(declared.output).toMatch(/pgstack:testSnapshot.*only/);
      const audit = await project.pgstack(["audit", "--json"]);
      expect(audit.stdout).toMatch(/"operation":\s*"test\.reset"[^}]*/);
      expect(audit.stdout).toMatch(/databases are reset in test stacks alone/);
    } finally {
      await other.project.remove();
    }
  });
});
