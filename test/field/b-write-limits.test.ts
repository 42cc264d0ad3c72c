import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDatabase, runInitSql } from "../../operations/database.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { DatabaseServer, SPECIFICATION } from "../support/database-server.ts";
import { expectRefused } from "../support/sessions.ts";

let server: DatabaseServer;
beforeAll(async () => {
  server = await DatabaseServer.start();
});
afterAll(() => server?.remove());

const WRITES: readonly (readonly [what: string, sql: string])[] = [
  ["make a large object of a number", "SELECT lo_create(0)"],
  ["make a large object", "SELECT lo_creat(-1)"],
  ["make a large object of bytes", "SELECT lo_from_bytea(0, 'x')"],
  ["make a large object of a file", "SELECT lo_import('/etc/passwd')"],
  ["write into a large object at a place", "SELECT lo_put(1, 0, 'x')"],
  ["write into an open large object", "SELECT lowrite(0, 'x')"],
  ["lengthen a large object", "SELECT lo_truncate(0, 2147483647)"],
  ["lengthen a large object far", "SELECT lo_truncate64(0, 4398046511103)"],
  ["remove a large object", "SELECT lo_unlink(1)"],
  ["write a large object to a file", "SELECT lo_export(1, '/tmp/x')"],
  ["put a text into the log of changes", "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))"],
  ["put bytes into the log of changes", "SELECT pg_logical_emit_message(true, 'x', '\\x00'::bytea)"],
  ["leave files of snapshots", "SELECT pg_export_snapshot() FROM generate_series(1, 10)"],
];

describe("what writes without bound", () => {
  test.each(WRITES)("the reader may not %s, also after it turned its setting off [B5]", async (_, sql) => {
    await server.as("readonly", async (client) => {
      await client.query("SET default_transaction_read_only TO off");
      await expectRefused(client, sql, "42501");
    });
  });

  test.each(WRITES)("the application may not %s [B5]", async (_, sql) => {
    await server.as("application", (client) => expectRefused(client, sql, "42501"));
  });

  test("the reader's files for sorting and joining have a bound, and no sequence and no temporary table is its own [B5]", async () => {
    await server.as("readonly", async (client) => {
      await client.query("SET default_transaction_read_only TO off");
      expect((await client.query("SHOW temp_file_limit")).rows).toEqual([{ temp_file_limit: "4GB" }]);
      await expectRefused(client, "SET temp_file_limit TO -1", "42501");
      await expectRefused(client, "SELECT nextval('billing.numbers')", "42501");
      await expectRefused(client, "SELECT setval('billing.numbers', 7)", "42501");
      await expectRefused(client, "CREATE TABLE pg_temp.mine ()", "42501");
    });
  });

  test("every function that PUBLIC may call and that writes is among those that are looked at [B5]", async () => {
    // Whoever adds a major version looks at what is new here: volatile functions of everybody that name what they change.
    const rows = await queryAsSuperuser<{ name: string }>(
      server.target,
      `SELECT DISTINCT proname AS name FROM pg_proc p
        WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v'
          AND proname ~ '^lo|^pg_.*(emit|export|write|create|import|put)|^lowrite'
          AND has_function_privilege('app_ro', p.oid, 'EXECUTE') ORDER BY 1`,
      { database: "app" },
    );
    expect(rows.map(({ name }) => name)).toEqual([
      ...["lo_close", "lo_get", "lo_lseek", "lo_lseek64", "lo_open", "lo_tell", "lo_tell64", "loread"],
      // These refuse by themselves whoever has no REPLICATION attribute, or is no superuser.
      ...["pg_create_logical_replication_slot", "pg_create_physical_replication_slot"],
      "pg_import_system_collations",
    ]);
  });
});

describe("who may after all", () => {
  test("the administrator makes large objects, and grants it to an application that needs them [B5]", async () => {
    await server.as("administrator", async (client) => {
      expect((await client.query("SELECT lo_from_bytea(0, 'x') > 0 AS made")).rows).toEqual([{ made: true }]);
      await client.query("GRANT EXECUTE ON FUNCTION lo_create(oid), lo_from_bytea(oid, bytea) TO app_rw");
    });
    expect(await server.plan()).toEqual([]);
    await applyDatabase(server.target, SPECIFICATION);
    await server.as("application", (client) => client.query("SELECT lo_from_bytea(0, 'x')"));
  });

  test("nobody gives it to the reader or to everybody: it is drift, and taken back [B5]", async () => {
    await server.as("administrator", (client) =>
      client.query("GRANT EXECUTE ON FUNCTION lo_create(oid) TO app_ro, PUBLIC"),
    );
    await server.inDatabase("GRANT EXECUTE ON FUNCTION lo_put(oid, bigint, bytea) TO PUBLIC");
    expect(await server.plan()).toEqual([
      'function pg_catalog.lo_create(oid): revoke EXECUTE from "app_ro"',
      "function pg_catalog.lo_create(oid): revoke EXECUTE from PUBLIC",
      "function pg_catalog.lo_put(oid,bigint,bytea): revoke EXECUTE from PUBLIC",
    ]);
    await applyDatabase(server.target, SPECIFICATION);
    expect(await server.plan()).toEqual([]);
    await server.as("readonly", (client) => expectRefused(client, "SELECT lo_create(0)", "42501"));
  });

  test("a database from before gets it by the next apply [B5]", async () => {
    await server.inDatabase(
      `REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) FROM app_admin CASCADE;
       GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) TO PUBLIC`,
    );
    expect(await server.plan()).toEqual([
      'function pg_catalog.pg_logical_emit_message(boolean,text,text): grant EXECUTE to "app_admin"',
      "function pg_catalog.pg_logical_emit_message(boolean,text,text): revoke EXECUTE from PUBLIC",
    ]);
    await applyDatabase(server.target, SPECIFICATION);
    expect(await server.plan()).toEqual([]);
  });
});

describe("locks that the reader can hold for ever", () => {
  test("do not keep an apply from its work [B5]", async () => {
    await server.as("readonly", async (client) => {
      await client.query("SELECT pg_advisory_lock(8432690127), pg_advisory_lock(8432690128)");
      await server.inDatabase("GRANT SELECT ON public.item TO PUBLIC");
      expect(await applyDatabase(server.target, SPECIFICATION)).toHaveLength(1);
      await runInitSql(server.target, SPECIFICATION, [
        { name: "once.sql", sql: "CREATE TABLE billing.once ()" },
      ]);
    });
  });
});
