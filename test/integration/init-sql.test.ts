import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDatabase, runInitSql } from "../../operations/database.ts";
import { applyRole } from "../../operations/roles.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { startServer, type TestServer } from "../support/server.ts";

const SPECIFICATION = {
  name: "app",
  administrator: "app_admin",
  application: "app_rw",
  readonly: "app_ro",
  schemas: [],
  extensions: [],
};

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  for (const kind of ["administrator", "application", "readonly"] as const) {
    await applyRole(server.target, { kind, name: SPECIFICATION[kind], password: "secret" });
  }
  await applyDatabase(server.target, SPECIFICATION);
});

afterAll(() => server.remove());

describe("P7 F08 init SQL", () => {
  test("P7 F08 each file runs once in a database, however often it is asked for", async () => {
    const counter = {
      name: "counter.sql",
      sql: "CREATE TABLE counter (n int); INSERT INTO counter VALUES (1)",
    };
    const more = { name: "it's more.sql", sql: "INSERT INTO counter VALUES (2);" };
    await runInitSql(server.target, SPECIFICATION, [counter]);
    await runInitSql(server.target, SPECIFICATION, [counter]);
    await runInitSql(server.target, SPECIFICATION, [counter, more]);
    await runInitSql(server.target, SPECIFICATION, [counter, more]);
    expect(await rows("SELECT n FROM public.counter ORDER BY n")).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("P7 two runs of one file at once: one carries it out, the other waits and goes on", async () => {
    const slow = { name: "slow.sql", sql: "CREATE TABLE slow (n int); SELECT pg_sleep(1);" };
    await Promise.all([1, 2, 3].map(() => runInitSql(server.target, SPECIFICATION, [slow])));
    expect(await rows("SELECT name FROM pgstack.init_sql WHERE name = 'slow.sql'")).toHaveLength(1);
  });

  test("F02 a file that failed is run again by the next", async () => {
    const broken = {
      name: "mended.sql",
      sql: "CREATE TABLE mended (n int);\nSELECT 1;\nSELECT * FROM nowhere;",
    };
    await expect(runInitSql(server.target, SPECIFICATION, [broken])).rejects.toThrow("mended.sql, line 3");
    await runInitSql(server.target, SPECIFICATION, [{ ...broken, sql: "CREATE TABLE mended (n int);" }]);
    expect(await rows("SELECT name FROM pgstack.init_sql WHERE name = 'mended.sql'")).toHaveLength(1);
  });

  test.each([
    ["open data", "CREATE TABLE open_data (line text);\nCOPY open_data FROM STDIN;\none\ntwo"],
    ["a comment", "CREATE TABLE a_comment ();\n-- the end"],
    ["another role", "CREATE TABLE another_role ();\nSET ROLE app_ro"],
  ])("P7 a file may end in %s", async (name, sql) => {
    await runInitSql(server.target, SPECIFICATION, [{ name, sql }]);
    const [row] = await rows<{ done: boolean }>(
      `SELECT EXISTS (SELECT FROM pgstack.init_sql WHERE name = '${name}') AS done`,
    );
    expect(row?.done).toBe(true);
  });

  test("P7 open data is taken as it is", async () => {
    expect(await rows("SELECT line FROM public.open_data")).toEqual([{ line: "one" }, { line: "two" }]);
  });
});

function rows<Row>(sql: string): Promise<Row[]> {
  return queryAsSuperuser<Row>(server.target, sql, { database: "app" });
}
