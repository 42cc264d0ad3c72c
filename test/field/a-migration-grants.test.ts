import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { applyDatabase } from "../../operations/database.ts";
import { DatabaseServer, SPECIFICATION } from "../support/database-server.ts";
import { MigrationFolder } from "../support/migration-folder.ts";
import { expectRefused } from "../support/sessions.ts";

let server: DatabaseServer;
let folder: MigrationFolder;

beforeAll(async () => {
  server = await DatabaseServer.start();
});
afterAll(() => server?.remove());

beforeEach(async () => {
  folder = await MigrationFolder.empty(server);
  await applyDatabase(server.target, SPECIFICATION);
  expect(await server.plan()).toEqual([]);
});

async function migrate(sql: string): Promise<string[]> {
  const warnings: string[] = [];
  await folder.file("0001_made", sql);
  await folder.up({ onWarning: (text) => warnings.push(text) });
  return warnings;
}

/** One of each kind of object that the administrator can make. */
const OBJECTS: readonly (readonly [kind: string, sql: string])[] = [
  ["a stable function", "CREATE FUNCTION one.stable() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'"],
  [
    "an immutable function",
    "CREATE FUNCTION one.immutable() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'",
  ],
  ["a volatile function", "CREATE FUNCTION one.volatile() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1'"],
  [
    "a function with its owner's rights",
    "CREATE FUNCTION one.definer() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
  ],
  [
    "a function of odd arguments",
    `CREATE FUNCTION one."Odd ""name"""(VARIADIC a text[], OUT b int) LANGUAGE sql AS 'SELECT 1'`,
  ],
  [
    "a function for triggers",
    "CREATE FUNCTION one.trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
  ],
  ["a procedure", "CREATE PROCEDURE one.procedure() LANGUAGE sql AS 'SELECT 1'"],
  [
    "a procedure with its owner's rights",
    "CREATE PROCEDURE one.definer_procedure() SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
  ],
  ["an aggregate", "CREATE AGGREGATE one.aggregate(int) (SFUNC = int4pl, STYPE = int)"],
  [
    "an aggregate of everything",
    "CREATE AGGREGATE one.everything(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0')",
  ],
  ["an enum", "CREATE TYPE one.enum AS ENUM ('a')"],
  ["a composite type", "CREATE TYPE one.composite AS (a int, b text)"],
  ["a range type", "CREATE TYPE one.range AS RANGE (subtype = int)"],
  ["a domain", "CREATE DOMAIN one.domain AS int CHECK (VALUE > 0)"],
  ["a sequence", "CREATE SEQUENCE one.sequence"],
  ["a table with a serial column", "CREATE TABLE one.serial (id serial PRIMARY KEY, note text)"],
  ["a table with an identity", "CREATE TABLE one.identity (id int GENERATED ALWAYS AS IDENTITY)"],
  ["an unlogged table", "CREATE UNLOGGED TABLE one.unlogged (id int)"],
  [
    "a partitioned table",
    "CREATE TABLE one.parted (id int) PARTITION BY LIST (id); CREATE TABLE one.part PARTITION OF one.parted DEFAULT",
  ],
  ["a table of another", "CREATE TABLE one.base (id int); CREATE TABLE one.child () INHERITS (one.base)"],
  ["a view", "CREATE VIEW one.view AS SELECT 1 AS one"],
  ["a view with its caller's rights", "CREATE VIEW one.invoker WITH (security_invoker) AS SELECT 1 AS one"],
  ["a materialized view", "CREATE MATERIALIZED VIEW one.materialized AS SELECT 1 AS one"],
  [
    "a table with policies, rules, statistics and triggers",
    `CREATE TABLE one.full (id int, tenant text); ALTER TABLE one.full ENABLE ROW LEVEL SECURITY;
     CREATE POLICY p ON one.full USING (true); CREATE RULE r AS ON DELETE TO one.full DO INSTEAD NOTHING;
     CREATE STATISTICS one.statistics ON id, tenant FROM one.full; CREATE INDEX ON one.full (id);
     CREATE FUNCTION one.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
     CREATE TRIGGER t BEFORE UPDATE ON one.full FOR EACH ROW EXECUTE FUNCTION one.touch()`,
  ],
  ["a large object", "SELECT lo_from_bytea(0, 'x')"],
  ["a collation", `CREATE COLLATION one.collation FROM "C"`],
  ["an operator", "CREATE OPERATOR one.### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)"],
  ["a text search configuration", "CREATE TEXT SEARCH CONFIGURATION one.search (COPY = english)"],
  [
    "a publication",
    "CREATE TABLE one.published (id int PRIMARY KEY); CREATE PUBLICATION made_publication FOR TABLE one.published",
  ],
  ["an extension that is trusted", "CREATE EXTENSION hstore SCHEMA one; CREATE EXTENSION citext"],
];
const CLEAN =
  "DROP EXTENSION IF EXISTS hstore; DROP EXTENSION IF EXISTS citext; DROP PUBLICATION IF EXISTS made_publication";

describe.each([
  ["a schema that is declared", "billing"],
  ["public", "public"],
  ["a schema that it makes", "made"],
])("what a migration makes in %s", (_, schema) => {
  const inSchema = (sql: string) =>
    sql.replaceAll(/\bone\./g, `${schema}.`).replaceAll("SCHEMA one", `SCHEMA ${schema}`);

  test("is no change in the next preview, whatever it is [A11 D6]", async () => {
    await server.as("administrator", (client) => client.query(CLEAN));
    const make = schema === "made" ? ["CREATE SCHEMA made"] : [];
    await migrate([...make, ...OBJECTS.map(([, sql]) => inSchema(sql))].join(";\n"));
    expect(await server.plan()).toEqual([]);
    await server.as("application", async (client) => {
      await client.query(inSchema("INSERT INTO one.serial (note) VALUES ('x')"));
      await client.query(
        inSchema("SELECT one.stable(), one.definer(), 'a'::one.enum, nextval('one.sequence')"),
      );
      await client.query(inSchema("CALL one.procedure()"));
    });
    await server.as("readonly", async (client) => {
      expect((await client.query(inSchema("SELECT note FROM one.serial"))).rowCount).toBe(1);
      await client.query(inSchema("SELECT one.stable(), one.volatile(), one.immutable(), one.aggregate(1)"));
      await expectRefused(client, inSchema("SELECT one.definer()"), "42501");
      await expectRefused(client, inSchema("CALL one.definer_procedure()"), "42501");
      await expectRefused(client, inSchema("DELETE FROM one.serial"), "25006");
    });
  });

  test("is given to the reader no longer once it runs with its owner's rights [D6]", async () => {
    await migrate(inSchema("ALTER FUNCTION one.stable() SECURITY DEFINER; CREATE TABLE one.later ()"));
    await server.as("readonly", (client) => expectRefused(client, inSchema("SELECT one.stable()"), "42501"));
    expect(await server.plan()).toEqual([]);
  });
});

describe("a schema that nobody has declared", () => {
  test("and that another tool makes as the administrator can be used at once [A11]", async () => {
    await server.as("administrator", async (client) => {
      await client.query(
        "CREATE SCHEMA tool; CREATE TABLE tool.version (id int); INSERT INTO tool.version VALUES (1)",
      );
    });
    await server.as("application", (client) => client.query("UPDATE tool.version SET id = 2"));
    await server.as("readonly", (client) => client.query("SELECT * FROM tool.version"));
    expect(await server.plan()).toEqual([]);
  });

  test("and that is older than this gets its grants by the next apply; what was granted by hand stays [A11]", async () => {
    await server.inDatabase(
      `CREATE SCHEMA older AUTHORIZATION app_admin; CREATE TABLE older.t (id int, note text);
       ALTER TABLE older.t OWNER TO app_admin;
       CREATE FUNCTION older.f() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1';
       ALTER FUNCTION older.f() OWNER TO app_admin;
       GRANT USAGE ON SCHEMA older TO stranger; GRANT SELECT ON older.t TO stranger; GRANT TRUNCATE ON older.t TO app_rw;
       GRANT UPDATE (note) ON older.t TO stranger; GRANT EXECUTE ON FUNCTION older.f() TO app_ro; REVOKE ALL ON SCHEMA older FROM app_rw, app_ro;
       CREATE TABLE older.of_another (id int); ALTER TABLE older.of_another OWNER TO stranger;`,
    );
    expect(await server.plan()).toEqual([
      'schema older: grant USAGE to "app_rw"',
      'schema older: grant USAGE to "app_ro"',
      'table older.t: grant DELETE, INSERT, SELECT, UPDATE to "app_rw"',
      'table older.t: grant SELECT to "app_ro"',
      'routine older.f(): revoke EXECUTE from "app_ro"',
      'routine older.f(): grant EXECUTE to "app_rw"',
    ]);
    await applyDatabase(server.target, SPECIFICATION);
    expect(await server.plan()).toEqual([]);
    await server.as("application", (client) => client.query("TRUNCATE older.t"));
  });

  test("and that belongs to another role stays closed, and the migration says so [A11]", async () => {
    const warnings = await migrate(
      "CREATE ROLE private; GRANT private TO app_admin; CREATE SCHEMA secret AUTHORIZATION private; SET ROLE private; CREATE TABLE secret.t ()",
    );
    expect(warnings).toEqual([
      "schema secret belongs to private and not to the administrator: application and readonly get no rights in it",
    ]);
    await server.as("application", (client) => expectRefused(client, "SELECT * FROM secret.t", "42501"));
    expect(await server.plan()).toEqual([]);
  });

  test("the history of migrations is nobody's but the administrator's [A11]", async () => {
    await migrate("SELECT 1");
    for (const kind of ["application", "readonly"] as const) {
      await server.as(kind, (client) =>
        expectRefused(client, "SELECT * FROM pgstack_migrations.migrations", "42501"),
      );
    }
  });
});
