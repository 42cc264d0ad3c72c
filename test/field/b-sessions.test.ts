import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DrillResult } from "../../agent/drill.ts";
import type { BackupEntry } from "../../agent/entry.ts";
import type { VerifyResult } from "../../agent/verify.ts";
import { agentContainer, callAgent } from "../../operations/agent.ts";
import { runInitSql } from "../../operations/database.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { sandboxContainer } from "../../operations/sandbox.ts";
import { SuperuserSession } from "../../operations/superuser/session.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { copyScript } from "../../operations/testing/copy.ts";
import { createSnapshot, createSnapshotFrom } from "../../operations/testing/create.ts";
import { describeDatabase } from "../../operations/testing/describe.ts";
import { MARK as OF_TESTS } from "../../operations/testing/names.ts";
import type { Snapshot } from "../../operations/testing/snapshot-files.ts";
import { ensureTemplate, type Template } from "../../operations/testing/template.ts";
import { warmUp } from "../../operations/testing/warm-up.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;

/** Where code of the administrator that runs with a superuser's rights leaves its mark. */
const MARK = "/tmp/escalated";

/**
 * Tries to run a program: as it is, and by each way back to a session's first role. Whatever it did to the session is
 * undone; what a program has written stays. One that only reads may call one that does more.
 */
const ATTACK = `
  CREATE SCHEMA attack;
  GRANT USAGE ON SCHEMA attack TO PUBLIC;
  CREATE FUNCTION attack.run(way text) RETURNS boolean LANGUAGE plpgsql AS $attack$
  DECLARE step text;
  BEGIN
    FOREACH step IN ARRAY ARRAY['SELECT 1', 'RESET ROLE', 'SET ROLE postgres', 'SET ROLE NONE', 'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION postgres'] LOOP
      BEGIN
        EXECUTE step;
        EXECUTE format('COPY (SELECT %L) TO PROGRAM %L', way || ' by ' || step || ' as ' || current_user, 'cat >> ${MARK}');
        RAISE EXCEPTION 'undone';
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
    RETURN true;
  END
  $attack$;
  CREATE FUNCTION attack.quiet(way text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $attack$
  BEGIN RETURN attack.run(way); END $attack$;
  CREATE FUNCTION attack.number(way text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $attack$
  BEGIN PERFORM attack.run(way); RETURN 1; END $attack$;
  CREATE FUNCTION attack.touched() RETURNS trigger LANGUAGE plpgsql AS $attack$
  BEGIN PERFORM attack.run('trigger'); RETURN NEW; END $attack$;`;

/**
 * How each came to superuser before:
 * - check, generated column, partition bound, default, parameter: pg_restore ran as the superuser, in verify --deep,
 *   restore-dump and upgrades, and what it loads is evaluated with its rights;
 * - default in a schema named ACL: as above, and it looks like DEFAULT ACL in a dump's table of contents;
 * - planned: who only counts the rows of a table computes the constant parts of its indexes' expressions: each backup did
 *   so as the superuser on the live server, and each drill and restore in the agent's container;
 * - cast: the checksum of a core table was over t::text, for which the administrator may declare a cast of its own;
 * - view, operator: verification SQL ran as the superuser with public in its search_path.
 */
const OBJECTS = `
  CREATE TABLE public.checked (n int, CHECK (attack.run('check')));
  INSERT INTO public.checked VALUES (1);
  CREATE TABLE public.generated (n int, m int GENERATED ALWAYS AS (n + attack.number('generated column')) STORED);
  INSERT INTO public.generated VALUES (1);
  CREATE DOMAIN attack.domain AS text CHECK (attack.run('domain'));
  CREATE TABLE public.of_domain (d attack.domain DEFAULT 'x', a attack.domain[]);
  INSERT INTO public.of_domain VALUES ('x', '{y}');
  CREATE TABLE public.bound (d attack.domain) PARTITION BY LIST (d);
  CREATE TABLE public.bound_1 PARTITION OF public.bound FOR VALUES IN ('x');
  CREATE FUNCTION attack.with_default(a attack.domain[] DEFAULT '{x}') RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE SCHEMA "ACL";
  CREATE TABLE "ACL".t (a attack.domain[] DEFAULT '{x}');
  CREATE TABLE public.planned (n int);
  INSERT INTO public.planned VALUES (1);
  CREATE INDEX planned_n ON public.planned ((n + attack.number('index expression')));
  CREATE INDEX planned_some ON public.planned (n) WHERE attack.quiet('index predicate');
  CREATE TABLE public.core (id serial PRIMARY KEY);
  INSERT INTO public.core DEFAULT VALUES;
  CREATE FUNCTION attack.as_text(public.core) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM attack.run('cast'); RETURN 'x'; END $$;
  CREATE CAST (public.core AS text) WITH FUNCTION attack.as_text(public.core);
  CREATE TABLE public.triggered (n int);
  INSERT INTO public.triggered VALUES (1);
  CREATE TRIGGER touch BEFORE INSERT ON public.triggered FOR EACH ROW EXECUTE FUNCTION attack.touched();
  CREATE VIEW public.orders AS SELECT attack.run('view') AS fine;
  CREATE MATERIALIZED VIEW public.computed AS SELECT attack.run('materialized view') AS fine;
  CREATE FUNCTION attack.equal(int, int) RETURNS boolean LANGUAGE sql AS $$ SELECT attack.run('operator') $$;
  CREATE TABLE public."x\\'); COPY (SELECT 1) TO PROGRAM 'touch ${MARK}' --" (id serial PRIMARY KEY);`;

const SPECIFICATION = {
  ...{ name: "app", administrator: "administrator", application: "application", readonly: "readonly" },
  ...{ schemas: [], extensions: [] as string[] },
};

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true }, async ({ directory }) => {
    await mkdir(join(directory, "sql"));
    await writeFile(
      join(directory, "sql", "verify.sql"),
      "SELECT to_regclass('public.orders') IS NULL OR fine FROM public.orders;\n",
    );
    return { verificationSql: ["sql/verify.sql"], coreTables: ["public.core", "public.planned"] };
  });
  await untilFirstBackup(stack.target);
  const session = await stack.session("administrator");
  await session.query(ATTACK);
  await session.query(OBJECTS);
  // How a name with a backslash became SQL: it went into text in single quotes.
  await session.query("ALTER DATABASE app SET standard_conforming_strings = off");
  // How roles of a dump became statements: they were taken from its text line by line.
  await session.query(
    `CREATE ROLE "first${"\n"}GRANT pg_monitor TO postgres; COPY (SELECT 1) TO PROGRAM 'touch ${MARK}' --"`,
  );
  await session.query("CREATE ROLE commented");
  await session.query(
    `COMMENT ON ROLE commented IS E'first\\nGRANT pg_monitor TO postgres; COPY (SELECT 1) TO PROGRAM ''touch ${MARK}'' --'`,
  );
  await session.query('CREATE ROLE "Odd ""Role\\"; CREATE TABLE public.odd ()');
  await session.query('GRANT "Odd ""Role\\" TO administrator');
  await session.query('ALTER TABLE public.odd OWNER TO "Odd ""Role\\"').catch(() => {});
  await session.end();
});
afterAll(() => stack?.project.remove());

async function inside(container: string, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await executeInContainer(
    { ...stack.target, container },
    { command: ["sh", "-c", script] },
  );
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
  return stdout;
}

const containers = () => [
  stack.target.container,
  ...[agentContainer, sandboxContainer].map((nameOf) => nameOf(stack.target.container)),
];

/** What ran with a superuser's rights, in any container. */
async function escalated(): Promise<string> {
  const found = await Promise.all(
    containers().map((container) => inside(container, `cat ${MARK} 2>/dev/null || true`)),
  );
  return found.join("");
}

async function logins(): Promise<readonly object[]> {
  return queryAsSuperuser(
    stack.target,
    "SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'pgstack_limited_')",
  );
}

beforeEach(async () => {
  for (const container of containers()) await inside(container, `rm -f ${MARK}`);
});

async function take(kind: string): Promise<BackupEntry> {
  const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", { kind, waitSeconds: 120 });
  if (entry === undefined) throw new Error("no backup was taken");
  return entry;
}

async function verifyDeep(id: string): Promise<readonly string[]> {
  const [result] = await callAgent<VerifyResult[]>(stack.target, "verify", {
    id,
    deep: true,
    waitSeconds: 120,
  });
  return result?.problems ?? ["nothing was verified"];
}

test("the attack works for whoever is superuser: what follows would notice it", async () => {
  await runAsSuperuser(stack.target, "SELECT count(*) FROM public.planned", { database: "app" });
  expect(await escalated()).toContain("index expression by SELECT 1 as postgres");
});

describe("nothing that the administrator makes runs with a superuser's rights [S10]", () => {
  let dump: BackupEntry;

  test("in a backup of either kind, and no login is left of it", async () => {
    dump = await take("logical");
    await take("full");
    expect(await escalated()).toBe("");
    expect(await logins()).toEqual([]);
  });

  test("in a restore of a dump into a throw-away cluster", async () => {
    expect(await verifyDeep(dump.id)).toEqual([]);
    expect(await escalated()).toBe("");
  });

  test("nor by the roles of an older dump, which held them as text", async () => {
    const older = await take("logical");
    const agent = agentContainer(stack.target.container);
    await inside(
      agent,
      `cd /backups/logical/${older.id} && pg_dumpall -h /var/run/postgresql --globals-only --no-role-passwords -f roles.sql && rm roles.json &&
       node -e 'const fs = require("node:fs"); const m = JSON.parse(fs.readFileSync("backup.json", "utf8"));
         m.files = m.files.filter(({ path }) => path !== "roles.json"); delete m.privilegedRoutines; fs.writeFileSync("backup.json", JSON.stringify(m))'`,
    );
    expect(await verifyDeep(older.id)).toEqual([]);
    expect(await escalated()).toBe("");
  });

  test("in a drill", async () => {
    expect(await callAgent<DrillResult>(stack.target, "drill", { waitSeconds: 120 })).toMatchObject({
      result: "ok",
    });
    expect(await escalated()).toBe("");
  });

  test("in a restore of parts of a dump", async () => {
    const tables = ["public.checked", "public.generated", "public.planned", "public.triggered", '"ACL".t'];
    await callAgent(stack.target, "restore-dump", { id: dump.id, tables, waitSeconds: 120 });
    expect(await escalated()).toBe("");
    expect(await logins()).toEqual([]);
  });

  test("in a restore of the whole dump", async () => {
    await callAgent(stack.target, "restore-dump", { id: dump.id, waitSeconds: 120 });
    expect(await escalated()).toBe("");
    expect(await logins()).toEqual([]);
    const rows = "SELECT count(*)::int AS n FROM public.checked";
    const session = await stack.session("administrator");
    expect((await session.query(rows)).rows).toEqual([{ n: 1 }]);
    await session.end();
  });

  // Before: the session was a superuser's that had taken the administrator's role, which SET ROLE in a trigger gave back.
  test("in init SQL, with a record of files that an earlier version left to the administrator", async () => {
    const session = await stack.session("administrator");
    await session.query(
      `CREATE TABLE pgstack.init_sql (name text PRIMARY KEY, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now());
       INSERT INTO pgstack.init_sql VALUES ('former.sql', 'x');
       CREATE INDEX ON pgstack.init_sql ((name || attack.number('record')));
       CREATE TRIGGER touch BEFORE INSERT ON pgstack.init_sql FOR EACH ROW EXECUTE FUNCTION attack.touched()`,
    );
    await session.end();
    await runInitSql(stack.target, SPECIFICATION, [
      { name: "former.sql", sql: "SELECT 1 / 0;" },
      {
        name: "more.sql",
        sql: "INSERT INTO public.triggered VALUES (2); SELECT count(*) FROM public.planned;",
      },
    ]);
    expect(await escalated()).toBe("");
    expect(await logins()).toEqual([]);
    expect(
      await queryAsSuperuser(
        stack.target,
        `SELECT relowner::regrole::text AS owner, relhastriggers AS triggers, (SELECT array_agg(name ORDER BY 1) FROM pgstack.init_sql) AS files
           FROM pg_class WHERE oid = 'pgstack.init_sql'::regclass`,
        { database: "app" },
      ),
    ).toEqual([{ owner: "postgres", triggers: false, files: ["former.sql", "more.sql"] }]);
  });

  test("in a look at the database for a snapshot", async () => {
    expect((await describeDatabase(stack.target, "app")).tables).toMatchObject({ "public.planned": 1 });
    expect(await escalated()).toBe("");
  });

  test("in health and drift", async () => {
    await stack.project.pgstack(["health", "--full"]);
    await stack.project.pgstack(["drift"]);
    expect(await escalated()).toBe("");
  });
});

describe("a snapshot for tests is loaded without a superuser's rights [S10]", () => {
  const project = () => stack.project.directory;

  async function made(name: string, sql: string, extensions: string[] = []): Promise<Snapshot> {
    const file = join(project(), `${name}.from.sql`);
    await writeFile(file, sql);
    return createSnapshotFrom(
      stack.target,
      file,
      { ...SPECIFICATION, extensions },
      { project: project(), name },
    );
  }

  /** The template of a snapshot, and a copy of it that was made as for a test. */
  async function served(snapshot: Snapshot, extensions: string[] = []): Promise<string> {
    const specification = { ...SPECIFICATION, extensions };
    const file = join(project(), "snapshots", `${snapshot.name}.sql`);
    const template: Template = await ensureTemplate(stack.target, { snapshot, file, specification });
    const copy = `pgstack_test_0_${snapshot.name.padEnd(8, "0").replaceAll(/[^0-9a-f]/g, "a")}`;
    const session = await SuperuserSession.open(stack.target);
    try {
      await session.run(
        `${copyScript(template, { to: copy, mark: OF_TESTS, open: true })}${warmUp(copy, "administrator")}`,
      );
    } finally {
      session.close();
    }
    return copy;
  }

  const inCopy = (database: string, sql: string) => queryAsSuperuser(stack.target, sql, { database });

  // Before: the superuser loaded it, and read each table of a copy before it was given out.
  test("code in it that is evaluated while it is loaded, made a template, copied and warmed up", async () => {
    const snapshot = await made("attack", `${ATTACK}${OBJECTS}\nSELECT attack.run('snapshot');\n`);
    expect(snapshot.tables).toMatchObject({ "public.planned": 1, "public.triggered": 1 });
    const copy = await served(snapshot);
    expect(await escalated()).toBe("");
    expect(await logins()).toEqual([]);
    await runAsSuperuser(stack.target, `DROP DATABASE ${copy} WITH (FORCE)`);
  });

  test.each([
    ["SET ROLE postgres;", 'permission denied to set role "postgres"'],
    ["SET SESSION AUTHORIZATION postgres;", "permission denied to set session authorization"],
    [
      `COPY (SELECT 1) TO PROGRAM 'touch ${MARK}';`,
      "permission denied to COPY to or from an external program",
    ],
    ["CREATE TABLE t ();\nALTER TABLE t OWNER TO postgres;", 'must be able to SET ROLE "postgres"'],
    ["CREATE EXTENSION file_fdw;", 'permission denied to create extension "file_fdw"'],
    [
      "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f();",
      'permission denied to create event trigger "e"',
    ],
    ["CREATE ROLE more SUPERUSER;", "permission denied to create role"],
  ])("%s is refused with the statement, and nothing is left", async (sql, why) => {
    const error: Error = await made("refused", `CREATE TABLE before (n int);\n${sql}\n`).then(
      () => new Error("it was taken"),
      (thrown: Error) => thrown,
    );
    const statement = sql.split("\n").at(-1) ?? "";
    expect(error.message).toMatch(
      new RegExp(`^snapshot .*refused.* cannot be loaded: line \\d+: .*(${why})`),
    );
    expect(error.message).toContain(`: ${statement} (a snapshot is loaded without a superuser's rights: `);
    expect(await escalated()).toBe("");
    expect(await logins()).toEqual([]);
    expect(
      await queryAsSuperuser(
        stack.target,
        "SELECT datname FROM pg_database WHERE datname LIKE 'pgstack%building%'",
      ),
    ).toEqual([]);
  });

  test("nor do psql's own commands lead to the superuser: they run as nobody", async () => {
    // Whoever makes a file in a sticky folder is the only one to remove it.
    await made("commands", "\\! id -un > /tmp/psql-runs-as\nCREATE TABLE t ();\n");
    expect(await inside(stack.target.container, "cat /tmp/psql-runs-as")).toBe("nobody\n");
    await expect(made("connecting", "\\connect - postgres\nCREATE TABLE t ();\n")).rejects.toThrow(
      /snapshot .* cannot be loaded: .*Peer authentication failed/,
    );
  });

  test("what is ordinary is as it was: extensions, COPY, large objects, owners, grants, default privileges", async () => {
    const large = `COPY public.rows (id, text) FROM stdin;\n${Array.from({ length: 20_000 }, (_, n) => `${n}\t${"x".repeat(200)}\n`).join("")}\\.\n`;
    const extensions = ["pg_stat_statements", "pageinspect"];
    await runAsSuperuser(stack.target, "CREATE ROLE reporter; GRANT reporter TO administrator WITH SET TRUE");
    const snapshot = await made(
      "ordinary",
      `CREATE SCHEMA more; ALTER SCHEMA more OWNER TO administrator;
CREATE EXTENSION pgcrypto WITH SCHEMA more;
CREATE EXTENSION IF NOT EXISTS pageinspect WITH SCHEMA public;
COMMENT ON EXTENSION pageinspect IS 'pages';
CREATE TABLE public.rows (id int PRIMARY KEY, text text, secret bytea DEFAULT more.digest('x', 'sha256'));
ALTER TABLE public.rows OWNER TO administrator;
${large}
CREATE TYPE more.state AS ENUM ('a', 'b');
CREATE FUNCTION more.f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE VIEW public.seen AS SELECT id FROM public.rows;
CREATE TABLE public.reports (n int); GRANT CREATE ON SCHEMA public TO reporter; ALTER TABLE public.reports OWNER TO reporter;
GRANT SELECT ON public.rows TO PUBLIC;
GRANT EXECUTE ON FUNCTION lo_create(oid) TO application;
ALTER DEFAULT PRIVILEGES FOR ROLE administrator IN SCHEMA more GRANT SELECT ON TABLES TO reporter;
SELECT pg_catalog.lo_from_bytea(4711, 'large'); ALTER LARGE OBJECT 4711 OWNER TO administrator;
CREATE PUBLICATION p FOR TABLE public.rows;
`,
      extensions,
    );
    expect(snapshot).toMatchObject({
      tables: { "public.rows": 20_000 },
      extensions: ["pageinspect", "pgcrypto"],
    });
    const copy = await served(snapshot, extensions);
    expect(
      await inCopy(
        copy,
        `SELECT (SELECT json_object_agg(relname, relowner::regrole::text ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
             AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')) AS owners,
           (SELECT array_agg(DISTINCT owner::regrole::text) FROM (SELECT typowner FROM pg_type WHERE typname = 'state' UNION SELECT proowner FROM pg_proc WHERE proname = 'f'
             UNION SELECT lomowner FROM pg_largeobject_metadata UNION SELECT pubowner FROM pg_publication UNION SELECT nspowner FROM pg_namespace WHERE nspname = 'more') o (owner)) AS others,
           (SELECT extowner::regrole::text FROM pg_extension WHERE extname = 'pageinspect') AS extension,
           has_function_privilege('application', 'pg_catalog.lo_create(oid)', 'EXECUTE') AS large,
           has_function_privilege('readonly', 'pg_catalog.lo_create(oid)', 'EXECUTE') AS everybody,
           (SELECT count(*)::int FROM pg_default_acl WHERE defaclacl::text LIKE '%reporter=r/administrator%') AS defaults`,
      ),
    ).toEqual([
      {
        owners: { reports: "reporter", rows: "administrator", seen: "administrator" },
        ...{ others: ["administrator"], extension: "postgres", large: true, everybody: false, defaults: 1 },
      },
    ]);
    expect(await logins()).toEqual([]);
    await runAsSuperuser(
      stack.target,
      `SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datname LIKE 'pgstack\\_template\\_%' \\gexec
SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname LIKE 'pgstack\\_template\\_%' \\gexec
DROP DATABASE ${copy} WITH (FORCE);
DROP ROLE reporter;`,
    );
  });

  test("one of the live database holds what an administrator has granted further", async () => {
    const session = await stack.session("administrator");
    await session.query("GRANT EXECUTE ON FUNCTION pg_catalog.lo_creat(int) TO application");
    const snapshot = await createSnapshot(stack.target, { project: project(), name: "live" });
    const copy = await served(snapshot, ["uuid-ossp", "pgcrypto", "pg_stat_statements"]);
    expect(
      await inCopy(
        copy,
        "SELECT has_function_privilege('application', 'pg_catalog.lo_creat(int)', 'EXECUTE') AS has",
      ),
    ).toEqual([{ has: true }]);
    expect(await escalated()).toBe("");
    expect(await logins()).toEqual([]);
    await session.query("REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(int) FROM application");
    await session.end();
    await runAsSuperuser(stack.target, `DROP DATABASE ${copy} WITH (FORCE)`);
  });
});

// Before: it waited for as long as the lock was held, for pg_dump's fingerprint of the schema.
test("a physical backup waits for no table's lock [A10]", async () => {
  const session = await stack.session("administrator");
  await session.query("BEGIN; LOCK TABLE public.core");
  const { schemaFingerprint, kind } = await take("incremental");
  expect({ schemaFingerprint, kind }).toEqual({ kind: "incremental" });
  await session.query("COMMIT");
  await session.end();
  expect(await take("incremental")).toMatchObject({
    schemaFingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test("a login that a killed run has left is dropped by the next one, with what it owned", async () => {
  const { createHash } = await import("node:crypto");
  const prefix = `pgstack_limited_${createHash("sha256").update(stack.target.stack).digest("hex").slice(0, 8)}`;
  await runAsSuperuser(
    stack.target,
    `CREATE ROLE ${prefix}0123456789abcdef LOGIN; GRANT administrator TO ${prefix}0123456789abcdef;
     CREATE TABLE public.left_over (); ALTER TABLE public.left_over OWNER TO ${prefix}0123456789abcdef;
     GRANT CONNECT ON DATABASE app TO ${prefix}0123456789abcdef;`,
    { database: "app" },
  );
  await take("logical");
  expect(await logins()).toEqual([]);
});
