import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDatabase } from "../../operations/database.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { DatabaseServer, SPECIFICATION, STRANGER } from "../support/database-server.ts";
import { expectRefused, withSession } from "../support/sessions.ts";

let server: DatabaseServer;
beforeAll(async () => {
  server = await DatabaseServer.start();
});
afterAll(() => server?.remove());

describe("S1 what each role may do", () => {
  test("S1 the application creates, reads, updates and deletes in tables made later", async () => {
    await server.as("application", async (client) => {
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
    await server.as("readonly", async (client) => {
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
    await server.as("administrator", async (client) => {
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
    await server.as("application", async (client) => {
      expect((await client.query("SELECT FROM billing.secret_row")).rowCount).toBe(0);
      await expectRefused(client, "INSERT INTO billing.secret_row VALUES ('y')", "42501");
    });
    expect(await server.plan()).toEqual([]);
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
    await server.as("application", (client) => expectRefused(client, sql, code));
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
    await server.as("readonly", async (client) => {
      await client.query("SET default_transaction_read_only TO off");
      await expectRefused(client, sql, "42501");
    });
  });

  test("S1 a right can't be handed on", async () => {
    // PostgreSQL only warns: "no privileges were granted".
    await server.as("application", (client) => client.query("GRANT SELECT ON public.item TO stranger"));
    expect(await server.plan()).toEqual([]);
  });

  test("S1 the reader's session says read-only from the start", async () => {
    await server.as("readonly", (client) =>
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
    await server.as("administrator", (client) => expectRefused(client, sql, "42501"));
  });

  test("S1 other databases are closed to application and reader", async () => {
    for (const kind of ["application", "readonly"] as const) {
      for (const database of ["postgres", "template1"]) {
        await expect(server.as(kind, async () => {}, database)).rejects.toMatchObject({ code: "42501" });
      }
    }
    await server.as("administrator", async () => {}, "postgres");
  });

  test("S1 PUBLIC has nothing: a role without grants can't connect, and sees nothing once it can", async () => {
    await expect(withSession(server.server, STRANGER, async () => {})).rejects.toMatchObject({
      code: "42501",
    });
    await server.inDatabase("GRANT CONNECT ON DATABASE app TO stranger");
    try {
      await withSession(server.server, STRANGER, async (client) => {
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
    await expect(withSession(server.server, STRANGER, async () => {})).rejects.toMatchObject({
      code: "42501",
    });
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
    await server.inDatabase(drift);
    expect((await server.plan()).join("; ")).toMatch(found);
    await applyDatabase(server.target, SPECIFICATION);
    expect(await server.plan()).toEqual([]);
  });

  test("S1 a function made since is given to the reader by the next apply, one with its owner's rights never", async () => {
    await server.as("administrator", (client) =>
      client.query("CREATE FUNCTION public.harmless() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    );
    await server.as("readonly", (client) => expectRefused(client, "SELECT public.harmless()", "42501"));
    expect(await server.plan()).toEqual(['routine public.harmless(): grant EXECUTE to "app_ro"']);
    await applyDatabase(server.target, SPECIFICATION);
    await server.as("readonly", (client) => client.query("SELECT public.harmless()"));
    await server.as("readonly", (client) => expectRefused(client, "SELECT billing.wipe()", "42501"));
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
    await server.inDatabase("GRANT SELECT ON public.item TO PUBLIC");
    await applyDatabase(server.target, SPECIFICATION);
    expect(await acl()).toEqual(before);
    expect(before.length).toBeGreaterThan(10);
  });

  test("P3 two applies at once do not disturb each other", async () => {
    await server.inDatabase(
      "GRANT ALL ON ALL TABLES IN SCHEMA public, billing TO PUBLIC; GRANT ALL ON DATABASE app TO PUBLIC",
    );
    await Promise.all([1, 2, 3].map(() => applyDatabase(server.target, SPECIFICATION)));
    expect(await server.plan()).toEqual([]);
  });
});
