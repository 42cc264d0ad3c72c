import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import type { Backups } from "../../agent/metadata.ts";
import { SLOT } from "../../agent/stream/slot.ts";
import { callAgent } from "../../operations/agent.ts";
import { NEWER_POSTMASTER_PARAMETERS } from "../../operations/postgresql-conf.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { imageOfMajor, TEST_IMAGE } from "../support/image.ts";
import { Manual } from "../support/manual.ts";
import type { TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";

let old: LiveStack;
let next: TestProject;
let image: string;
let manual: Manual;

const SCHEMA = `
  SET search_path = public;
  CREATE TABLE orders (id bigserial PRIMARY KEY, what text, doubled bigint GENERATED ALWAYS AS (id * 2) STORED);
  INSERT INTO orders (what) SELECT md5(n::text) FROM generate_series(1, 2000) n;
  CREATE TABLE notes (order_id bigint REFERENCES orders, note text);
  INSERT INTO notes SELECT id, 'as it was' FROM orders;
  CREATE UNLOGGED TABLE cache AS SELECT 7 AS n;
  CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n FROM orders;
  CREATE ROLE reporting NOLOGIN BYPASSRLS;
  CREATE ROLE analysts NOLOGIN;
  GRANT reporting TO analysts;
  ALTER ROLE reporting SET search_path = public, "My Schema";
  ALTER DATABASE app SET statement_timeout = '1min';`;

const WHOLE = `SELECT (SELECT count(*)::int FROM public.orders) AS orders, (SELECT sum(doubled)::int FROM public.orders) AS doubled,
  (SELECT count(*)::int FROM public.notes) AS notes, (SELECT n FROM public.cache) AS cache, (SELECT n::int FROM public.sums) AS sums,
  (SELECT rolbypassrls FROM pg_roles WHERE rolname = 'reporting') AS bypasses,
  pg_has_role('analysts', 'reporting', 'MEMBER') AS member,
  (SELECT setconfig::text FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE rolname = 'reporting') AS path,
  (SELECT setconfig::text FROM pg_db_role_setting WHERE setrole = 0) AS timeout`;

const BEGINNING = {
  ...{ orders: 2000, doubled: 4_002_000, notes: 2000, cache: 7, sums: 2000, bypasses: true, member: true },
  ...{ path: String.raw`{"search_path=public, \"My Schema\""}`, timeout: "{statement_timeout=1min}" },
};

beforeAll(async () => {
  image = await imageOfMajor(18);
  manual = await Manual.read("upgrade.md");
  old = await LiveStack.bringUp({ backup: true });
  next = old.project.sibling("n");
  for (const suffix of ["-rehearsal", "-rehearsal-new"]) old.project.sibling(suffix);
  await runAsSuperuser(old.target, SCHEMA, { database: "app" });
});

afterAll(() => old?.project.remove());

function upgrade(...words: string[]) {
  return old.project.pgstack(["upgrade", "--into", next.stack, ...words]);
}

/** Runs the line of the manual that has this word, as it stands, for the test's stacks and without questions. */
async function run(word: string) {
  const line = manual.commands("A major version").find((one) => one.endsWith(word));
  if (line === undefined) throw new Error(`docs/upgrade.md has no line with ${word}`);
  const words = line.replaceAll("shop18", next.stack).split(" ").slice(1);
  const more = /--(back|confirm)$/.test(line) ? ["--yes"] : ["--image", image, "--yes"];
  const ended = await old.project.pgstack([...words, ...more]);
  expect(ended.code, `${line}\n${ended.output}`).toBe(0);
  return ended;
}

async function row(project: { readonly target: LiveStack["target"] }, sql: string) {
  return (await queryAsSuperuser<Record<string, unknown>>(project.target, sql, { database: "app" }))[0];
}

async function emptyPreview(project: TestProject): Promise<void> {
  const preview = await project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
}

describe("L10 a major upgrade from 16 to 18", () => {
  test("L10 what cannot be done is refused in one line, and nothing is made", async () => {
    const taken = await old.project.pgstack([
      "upgrade",
      "--into",
      old.project.stack,
      "--image",
      image,
      "--yes",
    ]);
    expect([taken.code, taken.stderr]).toEqual([1, expect.stringContaining("must name a new stack")]);
    const same = await upgrade("--image", TEST_IMAGE, "--yes");
    expect([same.code, same.stderr]).toEqual([
      1,
      expect.stringMatching(/holds PostgreSQL 16, and --to is 18/),
    ]);
    const silent = await upgrade("--image", image);
    expect([silent.code, silent.stderr]).toEqual([
      2,
      expect.stringMatching(/not a terminal: pass --yes to go on/),
    ]);
    const nameless = await old.project.pgstack(["upgrade", "--yes"]);
    expect([nameless.code, nameless.stderr]).toEqual([2, expect.stringContaining("--into STACK")]);
    const nothing = await upgrade("--back", "--yes");
    expect([nothing.code, nothing.stderr]).toEqual([3, expect.stringMatching(/there is no stack/)]);
    expect((await next.things()).containers).toEqual([]);
  });

  test("L10 a rehearsal that finds an obstacle says what to set, and leaves nothing", async () => {
    const line = manual.commands("A major version")[0] ?? "";
    expect(line).toBe("./pgstack upgrade --rehearse");
    const words = [...line.split(" ").slice(1), "--method", "logical", "--image", image];
    const ended = await old.project.pgstack(words);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /pgstack: wal_level is replica: set pgstack:serverSettings.wal_level to logical/,
    );
    expect(await leftOfRehearsal()).toEqual([]);
    expect(await row(old, WHOLE)).toEqual(BEGINNING);
  });

  test("L10 by dump: rehearsed, compared, everything is there; the old database is closed", async () => {
    const ended = await run("--into shop18");
    expect(ended.stdout).toMatch(/is in use, with PostgreSQL 18\.\d+; the database was closed for \d+\.\d s/);
    expect(await leftOfRehearsal()).toEqual([]);
    expect(await row(next, WHOLE)).toEqual(BEGINNING);
    expect(await row(next, "SELECT nextval('public.orders_id_seq')::int AS n")).toEqual({ n: 2001 });
    const health = await next.pgstack(["health", "--full"]);
    expect(health.code, health.output).toBe(0);
    expect(health.stdout).toMatch(/pgstack_way_back is/);
    await emptyPreview(next);
    await expect(old.session("application")).rejects.toThrow(/closed after an upgrade into another stack/);
    // An up of the old stack does not open it: there would be two databases in use.
    await old.project.up();
    await expect(old.session("application")).rejects.toThrow(/closed after an upgrade into another stack/);
    const { entries } = await callAgent<Backups>({ ...next.target }, "list");
    expect(entries.map(({ label }) => label)).toContain("after upgrade");
  });

  test("P5 every parameter of PostgreSQL 18 that needs a restart is known", async () => {
    const found = await queryAsSuperuser<{ name: string }>(
      next.target,
      "SELECT name FROM pg_settings WHERE context = 'postmaster'",
    );
    const names = found.map(({ name }) => name);
    expect([...NEWER_POSTMASTER_PARAMETERS].filter((name) => !names.includes(name))).toEqual([]);
  });

  test("L10 back again, with everything that was written since; and once more, confirmed", async () => {
    await runAsSuperuser(
      next.target,
      `SET search_path = public;
       INSERT INTO orders (what) VALUES ('written to the new one');
       UPDATE notes SET note = 'changed' WHERE order_id = 5;
       DELETE FROM notes WHERE order_id = 6;`,
      { database: "app" },
    );
    await run("--back");
    const written = { orders: 2001, notes: 1999, sums: 2001 };
    expect(await row(old, WHOLE)).toMatchObject(written);
    expect(await row(old, "SELECT note FROM public.notes WHERE order_id = 5")).toEqual({ note: "changed" });
    // Never one that the new server has given out.
    expect(await row(old, "SELECT nextval('public.orders_id_seq') > 2002 AS later")).toEqual({ later: true });
    expect((await old.project.pgstack(["health", "--full"])).code).toBe(0);
    const twice = await upgrade("--back", "--yes");
    expect([twice.code, twice.stderr]).toEqual([1, expect.stringMatching(/nothing to go back from/)]);

    const again = await run("--into shop18");
    expect(again.output).not.toMatch(/rehearsal/);
    await run("--confirm");
    expect((await next.things()).containers).toEqual([
      ...["", "-agent", "-sandbox"].map((suffix) => `${next.container}${suffix}`),
    ]);
    expect(await row(next, WHOLE)).toMatchObject(written);
    expect(
      await row(next, `SELECT count(*)::int AS n FROM pg_replication_slots WHERE slot_name <> '${SLOT}'`),
    ).toEqual({ n: 0 });
    await emptyPreview(next);
    const gone = await old.project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(gone.code, gone.output).toBe(0);
    await callAgent<BackupEntry[]>(next.target, "backup", { kind: "full", waitSeconds: 60 });
    expect((await next.pgstack(["drill"])).code).toBe(0);
  });
});

async function leftOfRehearsal(): Promise<string[]> {
  const left: string[] = [];
  for (const suffix of ["-rehearsal", "-rehearsal-new"]) {
    const project = old.project.sibling(suffix);
    const { containers, volumes, networks } = await project.things();
    left.push(...containers, ...volumes, ...networks);
    const file = `Pulumi.${project.stack}.yaml`;
    if (existsSync(join(project.directory, file))) left.push(file);
  }
  return left;
}
