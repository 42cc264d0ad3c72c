import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  applyDatabase,
  type DatabaseSpecification,
  planDatabase,
  runInitSql,
} from "../../operations/database.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { applyRole, dropRole } from "../../operations/roles.ts";
import { identifier } from "../../operations/sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { UserError } from "../../operations/user-error.ts";
import { DatabaseServer, SPECIFICATION } from "../support/database-server.ts";
import { expectRefused, withSession } from "../support/sessions.ts";

let server: DatabaseServer;
beforeAll(async () => {
  server = await DatabaseServer.start();
});
afterAll(() => server?.remove());

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
      (await server.as("application", (client) => client.query("SELECT public.uuid_generate_v4()"))).rowCount,
    ).toBe(1);
  });

  test("P3 a plan is empty, also with tables made since, and a second apply changes nothing", async () => {
    expect(await server.plan()).toEqual([]);
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
      await server.as(kind, async (client) => {
        expect((await client.query(upsert)).rowCount).toBe(1);
        expect((await client.query(upsert)).rowCount).toBe(1);
      });
    }
    await server.as("readonly", async (client) => {
      expect((await client.query("SELECT FROM pgstack.health_probe")).rowCount).toBe(2);
      await expectRefused(client, upsert, "25006");
    });
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
    await server.as("readonly", async (client) => {
      expect((await client.query("SELECT FROM billing.from_init")).rowCount).toBe(3);
    });
    const owner = await queryAsSuperuser(
      server.target,
      "SELECT tableowner FROM pg_tables WHERE tablename = 'from_init'",
      { database: "app" },
    );
    expect(owner).toEqual([{ tableowner: "app_admin" }]);
    expect(await server.plan()).toEqual([]);
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
    expect((await server.plan(specification))[0]).toMatch(/^create database /);
    await applyDatabase(server.target, specification);
    expect(await server.plan(specification)).toEqual([]);
    await runAsSuperuser(
      server.target,
      `CREATE TABLE ${identifier(`${name} s`)}.${identifier(name)} ("${"a'b"}" int)`,
      {
        database: name,
      },
    );
    expect((await server.plan(specification)).length).toBe(2);
    await applyDatabase(server.target, specification);
    await withSession(
      server.server,
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
    expect(await server.plan()).toEqual([]);
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
