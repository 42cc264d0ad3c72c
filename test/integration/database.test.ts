import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  applyDatabase,
  type DatabaseSpecification,
  planDatabase,
  runInitSql,
} from "../../operations/database.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { applyRole, dropRole } from "../../operations/roles.ts";
import { scramVerifier } from "../../operations/scram.ts";
import { identifier, literal } from "../../operations/sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { UserError } from "../../operations/user-error.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { expectRefused, withSession } from "../support/sessions.ts";

const CREDENTIALS = {
  administrator: { role: "app_admin", password: "secret of the administrator" },
  application: { role: "app_rw", password: "secret of the application" },
  readonly: { role: "app_ro", password: "secret of the reader" },
};
const STRANGER = { role: "stranger", password: "secret of the stranger" };
const SPECIFICATION: DatabaseSpecification = {
  name: "app",
  administrator: "app_admin",
  application: "app_rw",
  readonly: "app_ro",
  schemas: ["billing"],
  extensions: ["uuid-ossp", "pgcrypto", "pg_stat_statements"],
};

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  for (const kind of ["administrator", "application", "readonly"] as const) {
    const { role, password } = CREDENTIALS[kind];
    await applyRole(server.target, { kind, name: role, password });
  }
  await runAsSuperuser(
    server.target,
    `CREATE ROLE stranger LOGIN PASSWORD ${literal(scramVerifier(STRANGER.password))}`,
  );
  await applyDatabase(server.target, SPECIFICATION);
  // Tables of the administrator, made after the grants, as every migration's are.
  await withSession(server, CREDENTIALS.administrator, (client) => client.query(LATER_OBJECTS));
});
afterAll(async () => {
  await server?.remove();
});

const LATER_OBJECTS = `
  CREATE TABLE public.item (id serial PRIMARY KEY, name text NOT NULL);
  CREATE TABLE billing.invoice (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item int REFERENCES public.item);
  CREATE TABLE billing.event (at timestamptz NOT NULL) PARTITION BY RANGE (at);
  CREATE TABLE billing.event_2026 PARTITION OF billing.event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE VIEW public.item_names AS SELECT name FROM public.item;
  CREATE MATERIALIZED VIEW billing.totals AS SELECT count(*) FROM billing.invoice;
  CREATE SEQUENCE billing.numbers;
  CREATE TYPE billing.state AS ENUM ('open', 'paid');
  CREATE TYPE billing.money_in AS (amount numeric, currency text);
  CREATE TYPE public.span AS RANGE (subtype = int);
  CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
  CREATE FUNCTION public.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE FUNCTION billing.wipe() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM billing.invoice';
  CREATE TRIGGER touch BEFORE UPDATE ON public.item FOR EACH ROW EXECUTE FUNCTION public.touched();`;

const plan = async (specification = SPECIFICATION) =>
  (await planDatabase(server.target, specification)).map((change) => change.description);
const inDatabase = (sql: string) => runAsSuperuser(server.target, sql, { database: "app" });
const as = <T>(kind: keyof typeof CREDENTIALS, work: (client: Client) => Promise<T>, database?: string) =>
  withSession(server, CREDENTIALS[kind], work, database);

describe("P7 what an apply leaves", () => {
  test("P7 extensions and schemas are there, owned by the administrator, in UTF8 and the C locale", async () => {
    expect(
      await queryAsSuperuser(
        server.target,
        `SELECT (SELECT json_agg(extname ORDER BY extname) FROM pg_extension) AS extensions,
                (SELECT json_object_agg(nspname, nspowner::regrole::text) FROM pg_namespace
                  WHERE nspname IN ('public', 'billing', 'pgstack')) AS owners,
                (SELECT json_agg(ARRAY[datdba::regrole::text, pg_encoding_to_char(encoding), datcollate, datctype])
                   FROM pg_database WHERE datname = 'app') AS database`,
        { database: "app" },
      ),
    ).toEqual([
      {
        extensions: ["pg_stat_statements", "pgcrypto", "plpgsql", "uuid-ossp"],
        owners: { public: "pg_database_owner", billing: "app_admin", pgstack: "app_admin" },
        database: [["app_admin", "UTF8", "C", "C"]],
      },
    ]);
    expect(
      (await as("application", (client) => client.query("SELECT public.uuid_generate_v4()"))).rowCount,
    ).toBe(1);
  });

  test("P3 a plan is empty, also with tables made since, and a second apply changes nothing", async () => {
    expect(await plan()).toEqual([]);
    expect(await applyDatabase(server.target, SPECIFICATION)).toEqual([]);
  });

  test("P3 a plan takes one execution in the container", async () => {
    const best = { plan: Number.POSITIVE_INFINITY, execution: Number.POSITIVE_INFINITY };
    // The best of some, beside an execution of nothing: what else the machine does counts for both.
    for (let round = 0; round < 8; round += 1) {
      const started = performance.now();
      await executeInContainer(server.target, { command: ["psql", "-c", ""], user: "postgres" });
      const middle = performance.now();
      await planDatabase(server.target, SPECIFICATION);
      best.execution = Math.min(best.execution, middle - started);
      best.plan = Math.min(best.plan, performance.now() - middle);
    }
    expect(best.plan).toBeLessThan(best.execution + 150);
  });

  test("S2 the bootstrap superuser has no password any more", async () => {
    const rows = await queryAsSuperuser(
      server.target,
      "SELECT rolpassword IS NULL AS locked FROM pg_authid WHERE rolname = 'postgres'",
    );
    expect(rows).toEqual([{ locked: true }]);
  });

  test("L1 the write probe is for application and administrator, the reader only reads it", async () => {
    const upsert = `INSERT INTO pgstack.health_probe AS p (role, at) VALUES (current_user, clock_timestamp())
      ON CONFLICT (role) DO UPDATE SET at = excluded.at RETURNING p.at`;
    for (const kind of ["application", "administrator"] as const) {
      await as(kind, async (client) => {
        expect((await client.query(upsert)).rowCount).toBe(1);
        expect((await client.query(upsert)).rowCount).toBe(1);
      });
    }
    await as("readonly", async (client) => {
      expect((await client.query("SELECT FROM pgstack.health_probe")).rowCount).toBe(2);
      await expectRefused(client, upsert, "25006");
    });
  });
});

describe("S1 what each role may do", () => {
  test("S1 the application creates, reads, updates and deletes in tables made later", async () => {
    await as("application", async (client) => {
      await client.query("INSERT INTO public.item (name) VALUES ('chair'), ('table')");
      await client.query("UPDATE public.item SET name = 'stool' WHERE name = 'chair'");
      expect((await client.query("SELECT name FROM public.item_names ORDER BY name")).rows).toEqual([
        { name: "stool" },
        { name: "table" },
      ]);
      await client.query("INSERT INTO billing.invoice (item) SELECT id FROM public.item");
      await client.query("INSERT INTO billing.event VALUES ('2026-06-01')");
      expect((await client.query("SELECT nextval('billing.numbers')")).rowCount).toBe(1);
      await client.query("SELECT 1::public.positive, 'open'::billing.state, public.span(1, 2)");
      await client.query("CREATE TEMPORARY TABLE scratch (state billing.state)");
      expect((await client.query("DELETE FROM billing.event")).rowCount).toBe(1);
      await client.query("SELECT billing.wipe()");
    });
  });

  test("S1 the reader reads tables made later", async () => {
    await as("readonly", async (client) => {
      for (const relation of [
        "public.item",
        "billing.invoice",
        "billing.event",
        "public.item_names",
        "billing.totals",
      ]) {
        await client.query(`SELECT * FROM ${relation}`);
      }
      await client.query("SELECT last_value FROM billing.numbers");
    });
  });

  test("S1 the administrator works in every schema, past row security, and makes databases and roles", async () => {
    await as("administrator", async (client) => {
      await client.query("CREATE TABLE billing.secret_row (owner text)");
      await client.query("ALTER TABLE billing.secret_row ENABLE ROW LEVEL SECURITY");
      await client.query("ALTER TABLE billing.secret_row FORCE ROW LEVEL SECURITY");
      await client.query("INSERT INTO billing.secret_row VALUES ('x')");
      expect((await client.query("SELECT FROM billing.secret_row")).rowCount).toBe(1);
      await client.query("CREATE DATABASE of_admin");
      await client.query("CREATE ROLE of_admin");
      await client.query("CHECKPOINT");
      await client.query("SELECT query FROM public.pg_stat_statements");
    });
    await as("application", async (client) => {
      expect((await client.query("SELECT FROM billing.secret_row")).rowCount).toBe(0);
      await expectRefused(client, "INSERT INTO billing.secret_row VALUES ('y')", "42501");
    });
    expect(await plan()).toEqual([]);
  });

  test.each([
    ["make a table", "CREATE TABLE public.mine ()", "42501"],
    ["make a table in a schema of its own", "CREATE TABLE billing.mine ()", "42501"],
    ["make a table in the technical schema", "CREATE TABLE pgstack.mine ()", "42501"],
    ["make a schema", "CREATE SCHEMA mine", "42501"],
    ["make a function", "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "42501"],
    ["make an extension", "CREATE EXTENSION hstore", "42501"],
    ["make a database", "CREATE DATABASE mine", "42501"],
    ["make a role", "CREATE ROLE mine", "42501"],
    ["change a table", "ALTER TABLE public.item ADD COLUMN x int", "42501"],
    ["drop a table", "DROP TABLE public.item", "42501"],
    ["empty a table", "TRUNCATE billing.invoice", "42501"],
    ["make an index", "CREATE INDEX ON public.item (name)", "42501"],
    [
      "make a trigger",
      "CREATE TRIGGER t BEFORE INSERT ON public.item EXECUTE FUNCTION public.touched()",
      "42501",
    ],
    ["set a sequence", "SELECT setval('billing.numbers', 1)", "42501"],
    ["remove the write probe's rows", "DELETE FROM pgstack.health_probe", "42501"],
    ["hand on a role", "GRANT app_rw TO stranger", "42501"],
    ["become the administrator", "SET ROLE app_admin", "42501"],
    ["become the superuser", "SET SESSION AUTHORIZATION postgres", "42501"],
    ["read the verifiers", "SELECT rolpassword FROM pg_authid", "42501"],
    ["read them by the view", "SELECT passwd FROM pg_shadow", "42501"],
    ["run a program", "COPY (SELECT 1) TO PROGRAM 'id'", "42501"],
    ["write a file", "COPY (SELECT 1) TO '/tmp/file'", "42501"],
    ["read a file", "SELECT pg_read_file('/etc/passwd')", "42501"],
    ["read the configuration", "SELECT * FROM pg_hba_file_rules", "42501"],
    ["change the server", "ALTER SYSTEM SET log_statement TO none", "42501"],
    ["reload the server", "SELECT pg_reload_conf()", "42501"],
    ["turn triggers off", "SET session_replication_role TO replica", "42501"],
    ["change the database", "ALTER DATABASE app SET search_path TO x", "42501"],
    ["change another's password", "ALTER ROLE app_admin PASSWORD 'x'", "42501"],
    ["give itself more", "ALTER ROLE app_rw BYPASSRLS", "42501"],
    [
      "end another's session",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
      "42501",
    ],
    ["make a replication slot", "SELECT pg_create_physical_replication_slot('x')", "42501"],
    ["make a publication", "CREATE PUBLICATION p FOR TABLE public.item", "42501"],
    ["load a library", "LOAD 'auto_explain'", "42501"],
    [
      "make a large table's event trigger",
      "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.touched()",
      "42501",
    ],
  ])("S1 the application may not %s", async (_, sql, code) => {
    await as("application", (client) => expectRefused(client, sql, code));
  });

  test.each([
    ["INSERT INTO public.item (name) VALUES ('x')"],
    ["UPDATE public.item SET name = 'x'"],
    ["DELETE FROM public.item"],
    ["TRUNCATE public.item"],
    ["INSERT INTO billing.invoice DEFAULT VALUES"],
    ["INSERT INTO billing.event_2026 VALUES ('2026-06-01')"],
    ["CREATE TABLE public.mine ()"],
    ["CREATE TEMPORARY TABLE mine ()"],
    ["SELECT nextval('billing.numbers')"],
    ["SELECT billing.wipe()"],
    ["DROP TABLE public.item"],
    ["COPY public.item (name) FROM STDIN"],
    ["MERGE INTO public.item i USING (VALUES (1)) v(id) ON i.id = v.id WHEN MATCHED THEN DELETE"],
    ["SELECT * FROM public.item FOR UPDATE"],
    ["BEGIN; LOCK TABLE public.item IN EXCLUSIVE MODE"],
    ["REFRESH MATERIALIZED VIEW billing.totals"],
    ["SELECT lo_create(0) FROM pg_read_file('/etc/passwd')"],
    ["SELECT rolpassword FROM pg_authid"],
    ["SET ROLE app_rw"],
    ["COPY public.item TO PROGRAM 'cat'"],
  ])("S1 the reader may not: %s, also after it turned its setting off", async (sql) => {
    await as("readonly", async (client) => {
      await client.query("SET default_transaction_read_only TO off");
      await expectRefused(client, sql, "42501");
    });
  });

  test("S1 a right can't be handed on", async () => {
    // PostgreSQL only warns: "no privileges were granted".
    await as("application", (client) => client.query("GRANT SELECT ON public.item TO stranger"));
    expect(await plan()).toEqual([]);
  });

  test("S1 the reader's session says read-only from the start", async () => {
    await as("readonly", (client) =>
      expectRefused(client, "INSERT INTO public.item (name) VALUES ('x')", "25006"),
    );
  });

  test.each([
    ["make a superuser", "CREATE ROLE root SUPERUSER"],
    ["become the superuser", "SET ROLE postgres"],
    ["change the superuser's password", "ALTER ROLE postgres PASSWORD 'x'"],
    ["run a program", "COPY (SELECT 1) TO PROGRAM 'id'"],
    ["read a file", "SELECT pg_read_file('/etc/passwd')"],
    ["write a file", "COPY (SELECT 1) TO '/tmp/file'"],
    ["change the server", "ALTER SYSTEM SET log_statement TO none"],
    ["change the verifiers", "UPDATE pg_authid SET rolpassword = NULL"],
    ["make itself a superuser", "UPDATE pg_authid SET rolsuper = true WHERE rolname = 'app_admin'"],
    ["take a predefined role", "GRANT pg_execute_server_program TO app_admin"],
    ["make the application a member of itself", "GRANT app_admin TO app_rw"],
    ["make an untrusted extension", "CREATE EXTENSION file_fdw"],
    ["make a function in C", "CREATE FUNCTION public.f() RETURNS int LANGUAGE c AS 'libc', 'abs'"],
  ])("S1 the administrator is no superuser: it may not %s", async (_, sql) => {
    await as("administrator", (client) => expectRefused(client, sql, "42501"));
  });

  test("S1 other databases are closed to application and reader", async () => {
    for (const kind of ["application", "readonly"] as const) {
      for (const database of ["postgres", "template1"]) {
        await expect(as(kind, async () => {}, database)).rejects.toMatchObject({ code: "42501" });
      }
    }
    await as("administrator", async () => {}, "postgres");
  });

  test("S1 PUBLIC has nothing: a role without grants can't connect, and sees nothing once it can", async () => {
    await expect(withSession(server, STRANGER, async () => {})).rejects.toMatchObject({ code: "42501" });
    await inDatabase("GRANT CONNECT ON DATABASE app TO stranger");
    try {
      await withSession(server, STRANGER, async (client) => {
        for (const sql of [
          "SELECT * FROM public.item",
          "SELECT * FROM billing.invoice",
          "SELECT public.uuid_generate_v4()",
          "SELECT nextval('billing.numbers')",
          "CREATE TEMPORARY TABLE t ()",
          "SELECT 1::public.positive",
        ]) {
          await expectRefused(client, sql, "42501");
        }
      });
    } finally {
      await applyDatabase(server.target, SPECIFICATION);
    }
    await expect(withSession(server, STRANGER, async () => {})).rejects.toMatchObject({ code: "42501" });
  });
});

describe("S1 drift", () => {
  test.each<[string, string, RegExp]>([
    [
      "a table to PUBLIC",
      "GRANT SELECT ON public.item TO PUBLIC",
      /table public.item: revoke SELECT from PUBLIC/,
    ],
    [
      "a table to a stranger",
      "GRANT ALL ON billing.invoice TO stranger",
      /revoke DELETE, INSERT.* from "stranger"/,
    ],
    [
      "more of a table to the application",
      "GRANT TRUNCATE, TRIGGER ON public.item TO app_rw",
      /revoke TRIGGER, TRUNCATE from "app_rw"/,
    ],
    ["writing to the reader", "GRANT INSERT ON public.item TO app_ro", /revoke INSERT from "app_ro"/],
    [
      "a column",
      "GRANT UPDATE (name) ON public.item TO app_ro, PUBLIC",
      /column public.item.name: revoke UPDATE from "app_ro".*PUBLIC/,
    ],
    ["less of a table", "REVOKE DELETE ON public.item FROM app_rw", /grant DELETE to "app_rw"/],
    [
      "nothing of a table",
      "REVOKE ALL ON public.item FROM app_admin, app_rw, app_ro",
      /grant DELETE, INSERT, REFERENCES.* to "app_admin"/,
    ],
    [
      "making things in public",
      "GRANT CREATE ON SCHEMA public TO PUBLIC, app_rw",
      /schema public: revoke CREATE from PUBLIC/,
    ],
    [
      "a schema to a stranger",
      "GRANT USAGE ON SCHEMA billing TO stranger",
      /schema billing: revoke USAGE from "stranger"/,
    ],
    [
      "the database",
      "GRANT ALL ON DATABASE app TO app_rw, stranger; GRANT CONNECT ON DATABASE app TO PUBLIC",
      /database app: revoke CREATE from "app_rw"/,
    ],
    [
      "the database postgres",
      "GRANT CONNECT ON DATABASE postgres TO PUBLIC, app_ro",
      /database postgres: revoke CONNECT/,
    ],
    [
      "a function",
      "GRANT EXECUTE ON FUNCTION billing.wipe() TO PUBLIC, app_ro",
      /routine billing.wipe\(\): revoke EXECUTE/,
    ],
    [
      "a sequence",
      "GRANT UPDATE ON SEQUENCE billing.numbers TO app_rw",
      /sequence billing.numbers: revoke UPDATE/,
    ],
    [
      "a type",
      "GRANT USAGE ON TYPE public.positive TO PUBLIC",
      /type public.positive: revoke USAGE from PUBLIC/,
    ],
    [
      "to hand on, and handed on",
      `GRANT SELECT ON public.item TO app_rw WITH GRANT OPTION; SET ROLE app_rw;
      GRANT SELECT ON public.item TO stranger; GRANT SELECT (name) ON public.item TO stranger; RESET ROLE`,
      /grant option for SELECT from "app_rw"/,
    ],
    [
      "by default to PUBLIC",
      "ALTER DEFAULT PRIVILEGES FOR ROLE app_admin IN SCHEMA billing GRANT SELECT ON TABLES TO PUBLIC",
      /default privileges of "app_admin".*revoke SELECT from PUBLIC/,
    ],
    [
      "by default everywhere",
      "ALTER DEFAULT PRIVILEGES FOR ROLE app_admin GRANT ALL ON TABLES TO app_ro",
      /default privileges of "app_admin" for tables: revoke/,
    ],
    [
      "less by default",
      "ALTER DEFAULT PRIVILEGES FOR ROLE app_admin IN SCHEMA public REVOKE INSERT ON TABLES FROM app_rw",
      /grant INSERT to "app_rw"/,
    ],
    [
      "by default of functions",
      "ALTER DEFAULT PRIVILEGES FOR ROLE app_admin GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
      /for routines: revoke EXECUTE from PUBLIC/,
    ],
    [
      "by the superuser's default",
      "ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC",
      /default privileges of "postgres"/,
    ],
    [
      "by another's default everywhere",
      "ALTER DEFAULT PRIVILEGES FOR ROLE stranger GRANT ALL ON SEQUENCES TO app_ro",
      /default privileges of "stranger"/,
    ],
    [
      "a table of its own",
      "ALTER TABLE public.item OWNER TO app_rw",
      /table public.item: owner "app_rw" to "app_admin"/,
    ],
    [
      "a function of its own",
      "ALTER FUNCTION billing.wipe() OWNER TO app_ro",
      /owner "app_ro" to "app_admin"/,
    ],
    [
      "a schema of its own",
      "ALTER SCHEMA billing OWNER TO app_rw",
      /schema billing: owner "app_rw" to "app_admin"/,
    ],
    ["the public schema", "ALTER SCHEMA public OWNER TO app_rw", /schema public: owner/],
    [
      "the database of its own",
      "ALTER DATABASE app OWNER TO app_rw",
      /database app: owner "app_rw" to "app_admin"/,
    ],
    [
      "the verifiers",
      "GRANT SELECT ON pg_authid TO app_ro; GRANT SELECT (rolpassword) ON pg_authid TO app_rw",
      /table pg_authid: revoke SELECT/,
    ],
    [
      "the verifiers to PUBLIC",
      "GRANT SELECT ON pg_authid TO PUBLIC",
      /table pg_authid: revoke SELECT from PUBLIC/,
    ],
    [
      "the system's functions",
      "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO app_ro, PUBLIC",
      /pg_read_file\(text\): revoke EXECUTE/,
    ],
    [
      "parameters",
      "GRANT SET ON PARAMETER session_replication_role TO app_rw; GRANT ALTER SYSTEM ON PARAMETER my.own TO PUBLIC",
      /parameter session_replication_role: revoke SET/,
    ],
    [
      "the technical schema",
      "GRANT ALL ON pgstack.health_probe TO app_ro, app_rw; GRANT CREATE ON SCHEMA pgstack TO app_rw",
      /table pgstack.health_probe: revoke/,
    ],
    ["no technical table", "DROP TABLE pgstack.health_probe", /create table pgstack.health_probe/],
    ["no schema", "DROP SCHEMA pgstack CASCADE", /create schema "pgstack"/],
    ["no extension", "DROP EXTENSION pgcrypto", /create extension pgcrypto/],
    ["a superuser's password", "ALTER ROLE postgres PASSWORD 'x'", /bootstrap superuser's password/],
    ["a table of the superuser's", "CREATE TABLE public.by_hand (a int)", /table public.by_hand: grant/],
  ])("S1 %s by hand is found and put right", async (_, drift, found) => {
    await inDatabase(drift);
    expect((await plan()).join("; ")).toMatch(found);
    await applyDatabase(server.target, SPECIFICATION);
    expect(await plan()).toEqual([]);
  });

  test("S1 a function made since is given to the reader by the next apply, one with its owner's rights never", async () => {
    await as("administrator", (client) =>
      client.query("CREATE FUNCTION public.harmless() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    );
    await as("readonly", (client) => expectRefused(client, "SELECT public.harmless()", "42501"));
    expect(await plan()).toEqual(['routine public.harmless(): grant EXECUTE to "app_ro"']);
    await applyDatabase(server.target, SPECIFICATION);
    await as("readonly", (client) => client.query("SELECT public.harmless()"));
    await as("readonly", (client) => expectRefused(client, "SELECT billing.wipe()", "42501"));
  });

  test("S1 objects of extensions stay as their extension made them", async () => {
    const acl = () =>
      queryAsSuperuser(
        server.target,
        `SELECT p.oid::regprocedure::text AS name, p.proacl::text AS acl FROM pg_proc p
           JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' ORDER BY 1`,
        { database: "app" },
      );
    const before = await acl();
    await inDatabase("GRANT SELECT ON public.item TO PUBLIC");
    await applyDatabase(server.target, SPECIFICATION);
    expect(await acl()).toEqual(before);
    expect(before.length).toBeGreaterThan(10);
  });

  test("P3 two applies at once do not disturb each other", async () => {
    await inDatabase(
      "GRANT ALL ON ALL TABLES IN SCHEMA public, billing TO PUBLIC; GRANT ALL ON DATABASE app TO PUBLIC",
    );
    await Promise.all([1, 2, 3].map(() => applyDatabase(server.target, SPECIFICATION)));
    expect(await plan()).toEqual([]);
  });
});

describe("P7 init SQL", () => {
  test("P7 files run in order as the administrator, whose tables they make", async () => {
    await runInitSql(server.target, SPECIFICATION, [
      {
        name: "01-tables.sql",
        sql: "CREATE TABLE billing.from_init (id int);\nINSERT INTO billing.from_init VALUES (1);",
      },
      { name: "02-rows.sql", sql: "COPY billing.from_init FROM STDIN;\n2\n3\n\\.\n" },
    ]);
    await as("readonly", async (client) => {
      expect((await client.query("SELECT FROM billing.from_init")).rowCount).toBe(3);
    });
    const owner = await queryAsSuperuser(
      server.target,
      "SELECT tableowner FROM pg_tables WHERE tablename = 'from_init'",
      { database: "app" },
    );
    expect(owner).toEqual([{ tableowner: "app_admin" }]);
    expect(await plan()).toEqual([]);
  });

  test("F02 an error names file, line and reason; the file's other statements are undone and later files not run", async () => {
    const refusal = await runInitSql(server.target, SPECIFICATION, [
      { name: "schema.sql", sql: "CREATE TABLE billing.half_made ();\n\nSELECT * FROM\n  nowhere;\n" },
      { name: "later.sql", sql: "CREATE TABLE billing.later_made ();" },
    ]).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UserError);
    expect(String(refusal)).toMatch(
      /init SQL schema\.sql, line [34]: relation "nowhere" does not exist \(SQLSTATE 42P01\)/,
    );
    const made = await queryAsSuperuser(
      server.target,
      "SELECT FROM pg_class WHERE relname IN ('half_made', 'later_made')",
      { database: "app" },
    );
    expect(made).toEqual([]);
  });
});

describe("F15 odd values", () => {
  test.each([
    `we"ird 'na;me`,
    "line\nbreak",
    "$(touch /tmp/owned) `id` \\! id",
    "a=b host=127.0.0.1 user=app_admin",
    "postgresql://elsewhere/",
    "back\\slash'\\'",
    "ünïcödé 😀",
  ])("F15 database and schema named %j", async (name) => {
    const roles = { administrator: `${name} a`, application: `${name} b`, readonly: `${name} c` };
    const specification = { ...SPECIFICATION, ...roles, name, schemas: [`${name} s`] };
    for (const kind of ["administrator", "application", "readonly"] as const) {
      await applyRole(server.target, { kind, name: roles[kind], password: name });
    }
    expect((await plan(specification))[0]).toMatch(/^create database /);
    await applyDatabase(server.target, specification);
    expect(await plan(specification)).toEqual([]);
    await runAsSuperuser(
      server.target,
      `CREATE TABLE ${identifier(`${name} s`)}.${identifier(name)} ("${"a'b"}" int)`,
      {
        database: name,
      },
    );
    expect((await plan(specification)).length).toBe(2);
    await applyDatabase(server.target, specification);
    await withSession(
      server,
      { role: roles.application, password: name },
      async (client) => {
        await client.query(`INSERT INTO ${identifier(`${name} s`)}.${identifier(name)} VALUES (1)`);
        expect((await client.query("SELECT current_database() AS name")).rows).toEqual([{ name }]);
      },
      name,
    );
    await runAsSuperuser(server.target, `DROP DATABASE ${identifier(name)}`);
    for (const role of Object.values(roles)) await dropRole(server.target, role);
    // One server is one stack's: the other database's roles took the place of ours in the databases of the cluster.
    await applyDatabase(server.target, SPECIFICATION);
    const { stdout } = await executeInContainer(server.target, { command: ["ls", "/tmp"] });
    expect(stdout).not.toContain("owned");
  });

  test.each<[string, Partial<DatabaseSpecification>, RegExp]>([
    ["a NUL byte", { name: "a\0b" }, /NUL/],
    ["10 MB", { schemas: ["x".repeat(10 * 1024 * 1024)] }, /63 bytes/],
    ["the database postgres", { name: "postgres" }, /PostgreSQL's own/],
    ["the catalog's schema", { schemas: ["pg_catalog"] }, /taken/],
    ["the technical schema", { schemas: ["pgstack"] }, /taken/],
    ["one name for two roles", { readonly: "app_rw" }, /three different names/],
    ["an extension that is a path", { extensions: ["../../etc/passwd"] }, /extension/],
    [
      "an extension that is not there",
      { extensions: ["no_such_extension"] },
      /"no_such_extension" is not in the server's image/,
    ],
  ])("F15 %s is refused in one line", async (_, values, message) => {
    const refusal = await applyDatabase(server.target, { ...SPECIFICATION, ...values }).catch(
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(UserError);
    expect(String(refusal)).toMatch(message);
    expect(String(refusal)).not.toMatch(/\n|x{100}/);
    expect(await plan()).toEqual([]);
  });

  test("F05 a database of another encoding is refused, and a missing role is named", async () => {
    await runAsSuperuser(
      server.target,
      "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
    );
    await expect(applyDatabase(server.target, { ...SPECIFICATION, name: "latin" })).rejects.toThrow(
      /LATIN1: UTF8 is needed/,
    );
    await expect(
      applyDatabase(server.target, { ...SPECIFICATION, name: "other", readonly: "nobody" }),
    ).rejects.toThrow(/no role "nobody"/);
    const databases = await queryAsSuperuser(
      server.target,
      "SELECT FROM pg_database WHERE datname = 'other'",
    );
    expect(databases).toEqual([]);
  });
});
