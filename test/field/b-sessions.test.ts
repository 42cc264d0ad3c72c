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
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { describeDatabase } from "../../operations/testing/describe.ts";
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
    await runInitSql(
      stack.target,
      {
        ...{ name: "app", administrator: "administrator", application: "application", readonly: "readonly" },
        ...{ schemas: [], extensions: [] },
      },
      [
        { name: "former.sql", sql: "SELECT 1 / 0;" },
        {
          name: "more.sql",
          sql: "INSERT INTO public.triggered VALUES (2); SELECT count(*) FROM public.planned;",
        },
      ],
    );
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
