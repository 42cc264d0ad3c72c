import type { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../../operations/connection.ts";
import { CREDENTIALS, DatabaseServer } from "../support/database-server.ts";
import { MigrationFolder } from "../support/migration-folder.ts";

let server: DatabaseServer;
let folder: MigrationFolder;

beforeAll(async () => {
  server = await DatabaseServer.start();
});
afterAll(() => server?.remove());

beforeEach(async () => {
  folder = await MigrationFolder.empty(server);
  await server.inDatabase(
    "DROP TABLE IF EXISTS public.orders, public.visits, public.visits_1 CASCADE; DROP DATABASE IF EXISTS made_by_migration",
  );
  await asAdministrator("CREATE TABLE orders (id int PRIMARY KEY, note text)");
  await asAdministrator("INSERT INTO orders VALUES (1, 'same'), (2, 'same')");
});

async function asAdministrator(sql: string): Promise<void> {
  await server.as("administrator", async (client) => {
    await client.query(sql);
  });
}

/** How the indexes of a table are, for example `orders_note: valid`. */
function indexes(table: string): Promise<string | null> {
  return server.value(
    `SELECT string_agg(relname || CASE WHEN indisvalid THEN ': valid' ELSE ': invalid' END, ', ' ORDER BY relname)
       FROM pg_catalog.pg_index JOIN pg_catalog.pg_class ON oid = indexrelid WHERE indrelid = to_regclass('public.${table}') AND NOT indisprimary`,
  );
}

/** An application's transaction that has written to a table and stays open. */
async function openTransaction(sql: string): Promise<Client> {
  const client = await server.session("application", "night job");
  await client.query("BEGIN");
  await client.query(sql);
  return client;
}

/** Until a statement of the administrator has waited for a lock this long. */
async function untilWaiting(seconds = 0): Promise<void> {
  const waiting = `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = 'app_admin'
    AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '${seconds} s'`;
  await expect.poll(() => server.value(waiting), { timeout: 30_000, interval: 50 }).toBe("1");
}

const INDEX = "-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS orders_note ON orders (note);\n";

describe("a statement outside of a transaction that has to wait", () => {
  test("is not recorded while its index is invalid; what is left is named, and the next run completes it [A9]", async () => {
    await folder.file("0001_index", INDEX);
    const job = await openTransaction("UPDATE orders SET note = 'x' WHERE id = 1");
    const refused = await folder.refusal({ patienceSeconds: 1, lockTries: 2 });
    expect(refused).toMatch(
      /^migration 0001_index failed: canceling statement due to lock timeout; left behind: /,
    );
    expect(refused).toMatch(
      /the invalid index public\.orders_note \(DROP INDEX CONCURRENTLY public\.orders_note puts it/,
    );
    expect(refused).toMatch(/process \d+, role "app_rw", program "night job", since 20\d\d-/);
    expect(refused).not.toMatch(/as it was/);
    expect(await folder.applied()).toEqual([]);
    await job.query("COMMIT");
    expect(await folder.up()).toEqual(["0001_index"]);
    expect(await indexes("orders")).toBe("orders_note: valid");
  });

  test("waits longer than a migration that keeps others waiting [A9]", async () => {
    await folder.file("0001_index", INDEX);
    const job = await openTransaction("UPDATE orders SET note = 'x' WHERE id = 1");
    const running = folder.up();
    await untilWaiting(3);
    await job.query("COMMIT");
    expect(await running).toEqual(["0001_index"]);
    expect(await indexes("orders")).toBe("orders_note: valid");
  });

  test("leaves nothing behind when it is refused for its rows [A9]", async () => {
    await folder.file("0001_unique", "-- no transaction\nCREATE UNIQUE INDEX CONCURRENTLY ON orders (note)");
    expect(await folder.refusal()).toMatch(
      /^migration 0001_unique failed: could not create unique index .*; nothing of it is left behind$/,
    );
    expect(await indexes("orders")).toBeNull();
    await asAdministrator("DELETE FROM orders WHERE id = 2");
    expect(await folder.up()).toEqual(["0001_unique"]);
    expect(await indexes("orders")).toBe("orders_note_idx: valid");
  });

  test("is completed by the next run when its session was ended [A9]", async () => {
    await folder.file("0001_index", INDEX);
    const job = await openTransaction("UPDATE orders SET note = 'x' WHERE id = 1");
    const running = folder.refusal();
    await untilWaiting();
    await server.value(
      "SELECT count(pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity WHERE usename = 'app_admin' AND wait_event_type = 'Lock'",
    );
    expect(await running).toMatch(
      /the session was lost, so what it has left is not known: the next run completes/,
    );
    await job.query("COMMIT");
    expect(await indexes("orders")).toBe("orders_note: invalid");
    expect(await folder.up()).toEqual(["0001_index"]);
    expect(await indexes("orders")).toBe("orders_note: valid");
  });

  test("a rebuilt index leaves no copy, and none is taken for another's [A9]", async () => {
    await asAdministrator("CREATE INDEX orders_note ON orders (note)");
    await folder.file("0001_rebuild", "-- no transaction\nREINDEX TABLE CONCURRENTLY orders");
    const job = await openTransaction("UPDATE orders SET note = 'x' WHERE id = 1");
    expect(await folder.refusal({ patienceSeconds: 1 })).toMatch(
      /left behind: .*the invalid index public\.orders_note_ccnew \(DROP INDEX CONCURRENTLY public\.orders_note_ccnew puts it/,
    );
    await job.query("COMMIT");
    expect(await folder.up()).toEqual(["0001_rebuild"]);
    expect(await indexes("orders")).toBe("orders_note: valid");
  });

  test("an index that could not be dropped is said to be invalid, and dropped by the next run [A9]", async () => {
    await asAdministrator("CREATE INDEX orders_note ON orders (note)");
    await folder.file("0001_drop", "-- no transaction\nDROP INDEX CONCURRENTLY orders_note");
    const job = await openTransaction("UPDATE orders SET note = 'x' WHERE id = 1");
    expect(await folder.refusal({ patienceSeconds: 1 })).toMatch(
      /left behind: the index "orders_note", which is invalid now and serves no query/,
    );
    await job.query("COMMIT");
    expect(await folder.up()).toEqual(["0001_drop"]);
    expect(await indexes("orders")).toBeNull();
  });

  test("a partition whose detaching has begun is said to be so, and detached by the next run [A9]", async () => {
    await asAdministrator(
      "CREATE TABLE visits (id int) PARTITION BY LIST (id); CREATE TABLE visits_1 PARTITION OF visits FOR VALUES IN (1)",
    );
    await folder.file(
      "0001_detach",
      "-- no transaction\nALTER TABLE visits DETACH PARTITION visits_1 CONCURRENTLY",
    );
    const job = await openTransaction("SELECT * FROM visits");
    expect(await folder.refusal({ patienceSeconds: 1 })).toMatch(
      /left behind: the partition "visits_1", whose detaching has begun and is not completed \(ALTER TABLE "visits" DETACH PARTITION "visits_1" FINALIZE/,
    );
    await job.query("COMMIT");
    expect(await folder.up()).toEqual(["0001_detach"]);
    expect(
      await server.value(
        "SELECT count(*) FROM pg_catalog.pg_inherits WHERE inhrelid = 'public.visits_1'::regclass",
      ),
    ).toBe("0");
  });
});

describe("a statement outside of a transaction that was interrupted between its work and its record", () => {
  async function begun(name: string, before: object): Promise<void> {
    await folder.file("0000_first", "SELECT 1");
    await folder.up();
    await asAdministrator(
      `INSERT INTO pgstack_migrations.begun (name, before) VALUES ('${name}', '${JSON.stringify(before)}')`,
    );
  }

  test.each<[string, string, object, string]>([
    ["an index", "CREATE INDEX CONCURRENTLY orders_note ON orders (note)", { indexes: [], invalid: [] }, ""],
    ["no index", "DROP INDEX CONCURRENTLY orders_gone", { there: true }, ""],
    ["a database", "CREATE DATABASE made_by_migration", { there: false }, ""],
    ["no database", "DROP DATABASE made_by_migration", { there: true }, "DROP DATABASE made_by_migration"],
  ])("%s is recorded and not done again [A9]", async (_, sql, before, undone) => {
    await begun("0001_once", before);
    for (const statement of [sql.replace("orders_gone", "IF EXISTS orders_gone"), undone]) {
      if (statement === "DROP DATABASE made_by_migration" && undone === statement) continue;
      if (statement !== "") await asAdministrator(statement);
    }
    await folder.file("0001_once", `-- no transaction\n${sql}`);
    expect(await folder.up()).toEqual(["0001_once"]);
    expect(await server.value("SELECT count(*) FROM pgstack_migrations.begun")).toBe("0");
  });
});

describe("an index that is there", () => {
  const invalidOne = () =>
    asAdministrator("CREATE UNIQUE INDEX CONCURRENTLY orders_note ON orders (note)").catch(() => {});

  test.each([
    ["outside of a transaction", INDEX],
    ["in a transaction", "CREATE TABLE visits (); CREATE INDEX IF NOT EXISTS orders_note ON orders (note);"],
  ])("and invalid is not taken for the one of a migration %s [A9]", async (_, sql) => {
    await invalidOne();
    await folder.file("0001_index", sql);
    expect(await folder.refusal()).toMatch(
      /index public\.orders_note is there and invalid, as a CREATE INDEX CONCURRENTLY that failed leaves it: run DROP INDEX CONCURRENTLY public\.orders_note, then this again/,
    );
    expect(await folder.applied()).toEqual([]);
    await asAdministrator("DROP INDEX CONCURRENTLY orders_note");
    expect(await folder.up()).toEqual(["0001_index"]);
  });

  test("and invalid on purpose, as a parent's until each partition has one, is no failure [A9]", async () => {
    await folder.file(
      "0001_parent",
      "CREATE TABLE visits (id int) PARTITION BY LIST (id); CREATE TABLE visits_1 PARTITION OF visits FOR VALUES IN (1); CREATE INDEX IF NOT EXISTS visits_id ON ONLY visits (id);",
    );
    await folder.file(
      "0002_part",
      "-- no transaction\nCREATE INDEX CONCURRENTLY visits_1_id ON visits_1 (id)",
    );
    await folder.file("0003_attach", "ALTER INDEX visits_id ATTACH PARTITION visits_1_id");
    expect(await folder.up()).toEqual(["0001_parent", "0002_part", "0003_attach"]);
    expect(await indexes("visits")).toBe("visits_id: valid");
  });

  test("on another table is not taken for it [A9]", async () => {
    await asAdministrator("CREATE TABLE visits (id int); CREATE INDEX orders_note ON visits (id)");
    await folder.file("0001_index", INDEX);
    expect(await folder.refusal()).toMatch(/index public\.orders_note is there already, on another table/);
  });
});

test("what a migration does and the record of it are there together or not at all [A9]", async () => {
  await folder.file("0001_first", "SELECT 1;");
  await folder.up();
  await server.inDatabase(
    "ALTER TABLE pgstack_migrations.migrations ADD CONSTRAINT no_more CHECK (name NOT LIKE '0002%') NOT VALID",
  );
  await folder.file("0002_visits", "CREATE TABLE visits ();");
  expect(await folder.refusal()).toMatch(
    /^migration 0002_visits failed, and the schema is as it was before it: .*no_more/,
  );
  expect(await server.value("to_regclass('public.visits')")).toBeNull();
  expect(await folder.applied()).toEqual(["0001_first"]);
  await server.inDatabase("ALTER TABLE pgstack_migrations.migrations DROP CONSTRAINT no_more");
  expect(await folder.up()).toEqual(["0002_visits"]);
});

describe("other statements without a transaction", () => {
  test("run, and are recorded once [A9]", async () => {
    await asAdministrator("DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('good')");
    await folder.file("0001_value", "-- no transaction\nALTER TYPE mood ADD VALUE 'bad'");
    await folder.file("0002_vacuum", "-- no transaction\nVACUUM orders");
    await folder.file("0003_database", "-- no transaction\nCREATE DATABASE made_by_migration");
    expect(await folder.up()).toHaveLength(3);
    expect(await folder.up()).toEqual([]);
    expect(await server.value("SELECT 'bad'::public.mood")).toBe("bad");
  });

  test("say what stands when they fail half way, and never that the schema is as before [A9]", async () => {
    await asAdministrator(
      "CREATE OR REPLACE PROCEDURE halves() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; COMMIT; PERFORM 1 / 0; END $$",
    );
    await folder.file("0001_halves", "-- no transaction\nCALL halves()");
    expect(await folder.refusal()).toMatch(
      /^migration 0001_halves failed: division by zero; CALL ran without a transaction: what it had done until then stands$/,
    );
    expect(await server.value("SELECT count(*) FROM public.orders")).toBe("0");
  });

  test("are asked to stand alone where they stand in a transaction [A9]", async () => {
    await folder.file("0001_index", "SELECT 1;\nCREATE INDEX CONCURRENTLY orders_note ON orders (note);");
    expect(await folder.refusal()).toBe(
      "migrations/0001_index.up.sql, line 2: CREATE INDEX CONCURRENTLY cannot be in a transaction: put it alone into a migration with the line `-- no transaction`",
    );
  });
});

describe("one run at a time", () => {
  test("cannot be held up by whoever may only read [B5]", async () => {
    await folder.file("0001_one", "CREATE TABLE visits ()");
    const reader = await connect(server.target, CREDENTIALS.readonly, server.server.trust);
    onTestFinished(() => reader.end());
    await reader.query("SELECT pg_advisory_lock(7205759405)");
    expect(await folder.up()).toEqual(["0001_one"]);
    await expect(
      reader.query("BEGIN; LOCK TABLE pgstack_migrations.run IN ACCESS SHARE MODE"),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test("says who is at it [B5]", async () => {
    await folder.file("0001_slow", "LOCK TABLE orders; CREATE TABLE visits ();");
    const job = await openTransaction("SELECT * FROM orders");
    const running = folder.up();
    await untilWaiting();
    expect(await folder.refusal()).toMatch(
      /^another run of migrations is at work \(process \d+, role "app_admin", program "pgstack", since 20.*\): wait until/,
    );
    await job.query("COMMIT");
    expect(await running).toEqual(["0001_slow"]);
  });
});

describe("what editors and psql put into files", () => {
  test("a byte-order mark is taken, and is part of the checksum [D5]", async () => {
    await folder.file("0001_marked", "\uFEFFCREATE TABLE visits (id int);", "\uFEFFDROP TABLE visits;");
    await folder.file("0002_marked", `\uFEFF${INDEX}`);
    expect(await folder.up()).toEqual(["0001_marked", "0002_marked"]);
    await folder.file("0001_marked", "CREATE TABLE visits (id int);");
    expect(await folder.refusal()).toMatch(/0001_marked\.up\.sql was changed after it was applied/);
  });

  test.each<[string, string | Buffer, RegExp]>([
    [
      "UTF-16",
      Buffer.from("\uFEFFSELECT 1;", "utf16le"),
      /^migrations\/0001_odd\.up\.sql is UTF-16: save it as UTF-8$/,
    ],
    [
      "Latin-1",
      Buffer.from("SELECT 'é';", "latin1"),
      /^migrations\/0001_odd\.up\.sql is not UTF-8: save it as UTF-8$/,
    ],
    [
      "rows for a COPY",
      "-- ünïcödé 😀\nSELECT '\\a', E'\\'\\\\', $$ \\b $$; /* \\c /* */ */\n\nCOPY orders (id, note)\n  FROM stdin;\n3\tit's\n\\.\n",
      /^migrations\/0001_odd\.up\.sql, line 4: COPY … FROM stdin takes rows that psql sends, and psql does not run/,
    ],
    [
      "a command of psql",
      "SELECT 1;\n\\connect other\n",
      /^migrations\/0001_odd\.up\.sql, line 2: \\connect is a command of psql/,
    ],
    [
      "a command of psql at the end of a line",
      "SELECT 'DROP TABLE x'\n \\gexec\n",
      /^migrations\/0001_odd\.up\.sql, line 2: \\gexec is a command of psql/,
    ],
    [
      "a variable of psql",
      "-- ünïcödé 😀\nSELECT :name;\n",
      /^migrations\/0001_odd\.up\.sql, line 2: syntax error at or near ":" \(:name is a variable of psql/,
    ],
  ])("%s is refused in one line, before anything runs [D5]", async (_, content, message) => {
    await folder.file("0000_first", "CREATE TABLE visits ()");
    await folder.file("0001_odd", content);
    expect(await folder.refusal()).toMatch(message);
    expect(await folder.applied()).toEqual([]);
  });

  test("what a migration sets in its session does not reach the next [D5]", async () => {
    await folder.file(
      "0001_dump",
      "SELECT pg_catalog.set_config('search_path', '', false); SET ROLE pg_database_owner;",
    );
    await folder.file("0002_next", "CREATE TABLE visits ()");
    expect(await folder.up()).toHaveLength(2);
  });
});
