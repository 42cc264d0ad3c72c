import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Backups } from "../../agent/metadata.ts";
import { callAgent } from "../../operations/agent.ts";
import { lint, type MigrateOptions, migrate, migrationStatus } from "../../operations/migrations.ts";
import { onSaying } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true });
});

afterAll(() => stack?.project.remove());

/** An empty history, and no files. */
async function beginAnew(): Promise<void> {
  await asAdministrator((client) =>
    client.query(
      "DROP SCHEMA IF EXISTS pgstack_migrations CASCADE; DROP TABLE IF EXISTS orders, lines, big CASCADE",
    ),
  );
  await rm(folder(), { recursive: true, force: true });
  await mkdir(folder());
}

function folder(): string {
  return join(stack.project.directory, "migrations");
}

async function file(name: string, up: string, down?: string): Promise<void> {
  await writeFile(join(folder(), `${name}.up.sql`), up);
  if (down !== undefined) await writeFile(join(folder(), `${name}.down.sql`), down);
}

async function asAdministrator<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = await stack.session("administrator");
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** `pgstack migrate` with these words, which must do it. */
async function command(...words: string[]): Promise<string> {
  const ended = await stack.project.pgstack(["migrate", ...words]);
  expect(ended.code, ended.output).toBe(0);
  return ended.output;
}

/** The last line of `pgstack migrate` with these words, which must be refused. */
async function commandRefused(...words: string[]): Promise<string> {
  const ended = await stack.project.pgstack(["migrate", ...words]);
  expect(ended.code, ended.output).not.toBe(0);
  const last = ended.stderr.trim().split("\n").at(-1) ?? "";
  expect(last).toMatch(/^pgstack: /);
  return last;
}

/** What the command does after its backup, in this process. */
async function run(direction: MigrateOptions["direction"], to?: string): Promise<void> {
  const users = { application: "application", readonly: "readonly" };
  const options = { project: stack.project.directory, direction, users, ...(to === undefined ? {} : { to }) };
  await asAdministrator((client) => migrate(client, options));
}

/** The one line that such a run is refused with. */
async function refused(direction: MigrateOptions["direction"], to?: string): Promise<string> {
  return run(direction, to).then(
    () => "nothing was refused",
    (error: Error) => (error.name === "UserError" ? error.message : String(error)),
  );
}

/** Names of the migrations: what was applied, and what waits. */
async function status(): Promise<{ applied: string[]; waiting: string[] }> {
  const found = await asAdministrator((client) => migrationStatus(client, stack.project.directory));
  return {
    applied: found.applied.map(({ name }) => name),
    waiting: found.pending.map(({ name }) => name),
  };
}

async function three(): Promise<void> {
  await file("0001_orders", "CREATE TABLE orders (id int PRIMARY KEY);", "DROP TABLE orders;");
  await file("0002_note", "ALTER TABLE orders ADD COLUMN note text;", "ALTER TABLE orders DROP COLUMN note;");
  await file("0003_lines", "CREATE TABLE lines (id int REFERENCES orders);", "DROP TABLE lines;");
}

function tables(): Promise<string | null> {
  return stack.value(
    "(SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public')",
  );
}

describe("M1 migrations", () => {
  beforeEach(beginAnew);

  test("M1 create, status, up, up to a version, down by one and to a version, each recorded, with a backup before", async () => {
    expect(await command("create", "Add orders")).toBe(
      "migrations/0001_add_orders.up.sql\nmigrations/0001_add_orders.down.sql\n",
    );
    expect(await readFile(join(folder(), "0001_add_orders.up.sql"), "utf8")).toMatch(/^-- /);
    await rm(folder(), { recursive: true });
    await mkdir(folder());
    await three();
    expect(await command("status")).toMatch(/0001_orders +waits.*\n.*0003_lines +waits/s);
    await command("up", "--to", "0002");
    expect(await tables()).toBe("orders");
    await command("up");
    expect(await command("up")).toBe("Nothing to do.\n");
    expect(await tables()).toBe("lines,orders");
    expect(await command("status")).toMatch(/0001_orders +applied +20.*0003_lines +applied/s);
    const application = await stack.session("application");
    await application.query("INSERT INTO orders (id, note) VALUES (1, 'granted as the stack declares')");
    await application.end();
    await command("down", "--yes");
    expect(await tables()).toBe("orders");
    await command("down", "--to", "0", "--yes");
    expect(await tables()).toBeNull();
    const { entries } = await callAgent<Backups>(stack.target, "list");
    expect(entries.filter(({ label }) => label === "before migration")).toHaveLength(4);
    const audit = await stack.project.pgstack(["audit", "--json"]);
    expect(audit.stdout).toMatch(/migrate\.up/);
    expect(audit.stdout).toMatch(/migrate\.down/);
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
  });

  test("M1 a dry run shows the SQL and what in it does harm, and applies nothing", async () => {
    await three();
    await file("0004_index", "CREATE INDEX big ON orders (note);");
    const shown = await command("up", "--dry-run");
    expect(shown).toMatch(/-- 0001_orders \(up\)\nCREATE TABLE orders/);
    expect(shown).toMatch(
      /warning: migrations\/0004_index\.up\.sql, line 1: CREATE INDEX keeps everyone from writing/,
    );
    expect(await tables()).toBeNull();
  });

  test("M1 without a transaction: an index made concurrently", async () => {
    await three();
    await file(
      "0004_index",
      "-- no transaction\nCREATE INDEX CONCURRENTLY orders_note ON orders (note);",
      "-- no transaction\nDROP INDEX CONCURRENTLY orders_note;",
    );
    const sql = await readFile(join(folder(), "0004_index.up.sql"), "utf8");
    expect(await lint("0004_index.up.sql", sql)).toEqual([]);
    await run("up");
    expect(await stack.value("to_regclass('public.orders_note')")).toBe("public.orders_note");
    await run("down");
    expect(await stack.value("to_regclass('public.orders_note')")).toBeNull();
  });
});

describe("F37 what goes wrong", () => {
  beforeEach(beginAnew);

  test("F37 the last statement fails: the schema is as before, with the line; those before it stand", async () => {
    await three();
    await file(
      "0004_bad",
      "CREATE TABLE big (n int);\nINSERT INTO big VALUES (1);\nSELECT nothing FROM big;",
    );
    expect(await commandRefused("up")).toMatch(
      /migration 0004_bad failed, and the schema is as it was before it: column "nothing" does not exist \(line 3\)/,
    );
    expect(await tables()).toBe("lines,orders");
    expect((await status()).waiting).toEqual(["0004_bad"]);
  });

  test("F37 killed half way: nothing of the migration is there, and the next run does it", async () => {
    await file("0001_slow", "CREATE TABLE big (n int); SELECT pg_sleep(3);", "DROP TABLE big;");
    const killed = await stack.project.pgstack(
      ["migrate", "up"],
      onSaying("up 0001_slow", (kill) => kill()),
    );
    expect(killed.code).toBe(-1);
    await expect
      .poll(
        () =>
          stack.value("(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgstack migrate')"),
        { timeout: 20_000 },
      )
      .toBe("0");
    const there = await tables();
    if (there === null) await run("up");
    expect(await tables()).toBe("big");
    expect((await status()).applied).toEqual(["0001_slow"]);
  });

  test("F37 two at once: one runs, the other is refused", async () => {
    await file("0001_slow", "SELECT pg_sleep(4); CREATE TABLE big (n int);");
    const first = stack.project.pgstack(["migrate", "up"]);
    await expect
      .poll(
        () =>
          stack.value(
            "(SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(4)%' AND state = 'active' AND pid <> pg_backend_pid())",
          ),
        { timeout: 20_000 },
      )
      .toBe("1");
    expect(await commandRefused("up")).toMatch(/is being changed by process \d+ .* for migrations of stack/);
    expect((await first).code).toBe(0);
  });

  test("F37 changed, gone, and late ones are refused, and so is a way down that is not there", async () => {
    await three();
    await run("up", "0002");
    await file("0001_orders", "CREATE TABLE orders (id bigint PRIMARY KEY);");
    expect(await refused("up")).toMatch(/0001_orders\.up\.sql was changed after it was applied/);
    await three();
    await rm(join(folder(), "0002_note.up.sql"));
    await rm(join(folder(), "0002_note.down.sql"));
    await expect(status()).rejects.toThrow(/0002_note\.up\.sql was applied and is gone/);
    await three();
    await run("up");
    await file("0000_early", "SELECT 1;");
    expect(await refused("up")).toMatch(/0000_early\.up\.sql came after later ones were applied/);
    await rm(join(folder(), "0000_early.up.sql"));
    await rm(join(folder(), "0003_lines.down.sql"));
    expect(await refused("down")).toMatch(/0003_lines\.down\.sql is not there/);
    expect(await refused("up", "0009")).toMatch(
      /--to 0009: there is no such version; there are 0001, 0002, 0003, and 0/,
    );
    expect(await commandRefused("down")).toMatch(/not a terminal: pass --yes to/);
  });

  test("M1 a migration never queues behind a long query: others go on, and it is done when the table is free", async () => {
    await three();
    await run("up", "0001");
    const long = await stack.session("administrator");
    await long.query("BEGIN");
    await long.query("SELECT * FROM orders");
    const running = run("up", "0002");
    await expect
      .poll(
        () =>
          stack.value(
            "(SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'public.orders'::regclass)",
          ),
        { timeout: 20_000, interval: 50 },
      )
      .toBe("1");
    const other = await stack.session("application");
    const started = performance.now();
    await other.query("INSERT INTO orders VALUES (1)");
    expect(performance.now() - started).toBeLessThan(4_000);
    await other.end();
    await long.query("COMMIT");
    await long.end();
    await running;
    expect((await status()).applied).toEqual(["0001_orders", "0002_note"]);
  });
});

/** One history: each test goes on where the one before has ended. */
describe("M1 the schema's version by the stack's config", () => {
  beforeAll(async () => {
    await beginAnew();
    await three();
  });

  async function upRefused(settings: Readonly<Record<string, unknown>>): Promise<string> {
    await stack.project.configure({ backup: true, ...settings });
    const ended = await stack.project.up();
    expect(ended.code, ended.output).not.toBe(0);
    return ended.output;
  }

  test("M1 up brings it there, with a backup before where there is data; a preview then shows nothing", async () => {
    const before = await backups();
    await stack.change({ backup: true, schemaVersion: "0002" });
    expect(await tables()).toBe("orders");
    expect(await status()).toEqual({ applied: ["0001_orders", "0002_note"], waiting: ["0003_lines"] });
    await stack.change({ backup: true, schemaVersion: "latest" });
    expect(await tables()).toBe("lines,orders");
    expect((await backups()) - before).toBe(1);
    expect(stack.outputs).toMatchObject({ deployed: { schemaVersion: "0003" } });
    const none = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(none.code, none.output).toBe(0);
  });

  test("M1 a new file and one that was taken back by hand are seen, and applied by the next up", async () => {
    await run("down");
    await file("0004_big", "CREATE TABLE big (n int);", "DROP TABLE big;");
    const preview = await stack.project.pulumi(["preview"]);
    expect(preview.output).toMatch(/SchemaVersion +schema +update/);
    await stack.up();
    expect(await tables()).toBe("big,lines,orders");
  });

  test("M1 F37 nothing is taken back by an up, and a version without a file is refused", async () => {
    expect(await upRefused({ schemaVersion: "0001" })).toMatch(
      /the schema is past version 0001 \(0002_note is applied\), and an up takes nothing back: pgstack migrate down --to 0001 does/,
    );
    expect(await upRefused({ schemaVersion: "0009" })).toMatch(
      /pgstack:schemaVersion 0009: there is no such version; there are 0001, 0002, 0003, 0004, and 0/,
    );
    expect(await tables()).toBe("big,lines,orders");
  });

  test("F37 a migration that fails fails the up, and the schema is as before it", async () => {
    await file("0005_bad", "CREATE TABLE bad (n int); SELECT nothing;");
    expect(await upRefused({ schemaVersion: "latest" })).toMatch(
      /migration 0005_bad failed, and the schema is as it was before it: column "nothing" does not exist/,
    );
    expect(await tables()).toBe("big,lines,orders");
  });

  async function backups(): Promise<number> {
    const { entries } = await callAgent<Backups>(stack.target, "list");
    return entries.filter(({ label }) => label === "before migration").length;
  }
});
