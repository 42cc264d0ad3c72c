import type { ChildProcess } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backups } from "../../agent/metadata.ts";
import { callAgent } from "../../operations/agent.ts";
import { readJournal, writeJournal } from "../../operations/promotion/journal.ts";
import { endProcessesIn } from "../support/processes.ts";
import { type Ended, type RunOptions, TestProject } from "../support/project.ts";
import { Repository } from "../support/repository.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const SOURCE = {
  schemaVersion: "latest",
  extensions: ["citext"],
  serverSettings: { random_page_cost: 1.1, max_wal_size: "2GB", fsync: false },
};
const TARGET = {
  ...{
    environment: "staging",
    backup: true,
    backupEncryption: true,
    stopGraceSeconds: 120,
    ballastMegabytes: 0,
  },
  ...{ schemaVersion: "0001", serverSettings: { log_lock_waits: true, max_wal_size: "512MB" } },
};

let project: TestProject;
let repository: Repository;
let source: LiveStack;
let target: LiveStack;

beforeAll(async () => {
  project = await TestProject.create();
  await mkdir(join(project.directory, "migrations"));
  await migration("0001_orders", "CREATE TABLE orders (id int PRIMARY KEY);", "DROP TABLE orders;");
  const next = project.sibling("s");
  await next.pulumi(["stack", "init", next.stack]);
  await Promise.all([project.configure(SOURCE), next.configure(TARGET)]);
  for (const one of [project, next]) {
    const ended = await one.up();
    if (ended.code !== 0) throw new Error(ended.output);
  }
  [source, target] = [await LiveStack.of(project), await LiveStack.of(next)];
  repository = await Repository.make(project);
  await repository.commit();
}, 300_000);

afterAll(() => project?.remove());

async function migration(name: string, up: string, down?: string): Promise<void> {
  const file = (direction: string) => join(project.directory, "migrations", `${name}.${direction}.sql`);
  await writeFile(file("up"), up);
  if (down !== undefined) await writeFile(file("down"), down);
}

/** A change that is committed and proven in the source. */
async function prove(settings: Readonly<Record<string, unknown>> = {}): Promise<string> {
  await project.configure({ ...SOURCE, ...settings });
  await source.up();
  return repository.commit();
}

function promote(words: readonly string[] = ["--yes"], options: RunOptions = {}) {
  return project.pgstack(["promote", project.stack, target.project.stack, ...words], options);
}

async function refused(...words: string[]): Promise<string> {
  const ended = await promote(words.length === 0 ? ["--yes"] : words);
  expect(ended.code, ended.output).not.toBe(0);
  return ended.stderr.trim().split("\n").at(-1) ?? "";
}

function targetSettings(): Promise<string> {
  return readFile(join(project.directory, `Pulumi.${target.project.stack}.yaml`), "utf8");
}

describe("G2 what is refused", () => {
  test("G2 a step that skips the order, or goes back", async () => {
    const back = await project.pgstack(["promote", target.project.stack, project.stack, "--yes"]);
    expect([back.code, back.stderr]).toEqual([
      1,
      expect.stringMatching(/from staging it goes to production/),
    ]);
    const itself = await project.pgstack(["promote", project.stack, project.stack, "--yes"]);
    expect(itself.stderr).toMatch(/from test it goes to staging/);
  });

  test("G2 what is not committed, and what was not applied", async () => {
    await writeFile(join(project.directory, "note.txt"), "not committed");
    expect(await refused()).toMatch(/^pgstack: nothing was changed: not committed yet: note\.txt; commit/);
    await rm(join(project.directory, "note.txt"));
    await project.configure({ ...SOURCE, maxConnections: 50 });
    await repository.commit();
    expect(await refused()).toMatch(/is not what this commit says: .*server/);
    await project.configure(SOURCE);
    await repository.commit();
  });

  test("G2 a source that is not healthy", async () => {
    const stopped = await project.pgstack(["shutdown"]);
    expect(stopped.code, stopped.output).toBe(0);
    expect(await refused()).toMatch(/is not healthy|does not run|cannot be reached/);
    await project.pgstack(["start"]);
  });

  test("G2 migrations without a way down", async () => {
    await migration("0002_note", "ALTER TABLE orders ADD COLUMN note text;");
    await prove();
    expect(await refused()).toMatch(
      /0002_note\.down\.sql is not there, so a promotion that fails could not put stack/,
    );
    await migration(
      "0002_note",
      "ALTER TABLE orders ADD COLUMN note text;",
      "ALTER TABLE orders DROP COLUMN note;",
    );
    await repository.commit();
  });
});

describe("G2 promotion", () => {
  test("G2 a dry run shows what would change and what Pulumi would do, and changes nothing", async () => {
    const before = await targetSettings();
    const ended = await promote(["--dry-run"]);
    expect(ended.code, ended.output).toBe(0);
    expect(ended.stdout).toMatch(/extensions +- +\["citext"\]/);
    expect(ended.stdout).toMatch(/schemaVersion +0001 +0002/);
    expect(ended.stdout).toMatch(/serverSettings\.log_lock_waits +true +-/);
    expect(ended.stdout).toMatch(/serverSettings\.random_page_cost +- +1\.1/);
    // Sizes are each environment's own, and what is fast at the cost of data is for tests alone.
    expect(ended.stdout).not.toMatch(/max_wal_size|fsync|memoryLimit/);
    expect(ended.stdout).toMatch(/Pulumi would:\n.*update +schema/s);
    expect(await targetSettings()).toBe(before);
    expect(await repository.git("status", "--porcelain")).toBe("");
  });

  test("G2 exactly what was proven: applied after a backup, migrated, recorded", async () => {
    const proven = await repository.git("rev-parse", "HEAD");
    const ended = await promote();
    expect(ended.code, ended.output).toBe(0);
    expect(await target.value("(SELECT extname FROM pg_extension WHERE extname = 'citext')")).toBe("citext");
    expect(await target.value("current_setting('random_page_cost')")).toBe("1.1");
    expect(await target.value("current_setting('max_wal_size')")).toBe("512MB");
    expect(await target.value("current_setting('fsync')")).toBe("on");
    expect(
      await target.value("(SELECT count(*) FROM information_schema.columns WHERE column_name = 'note')"),
    ).toBe("1");
    const { entries } = await callAgent<Backups>(target.target, "list");
    expect(entries.some(({ label }) => label === "before promotion")).toBe(true);
    expect(await target.project.outputs()).toMatchObject({
      promotion: { from: project.stack, commit: proven },
      deployed: { schemaVersion: "0002" },
    });
    const listed = await target.project.pgstack(["promotions"]);
    expect(listed.stdout).toMatch(new RegExp(`promoted +ok +${project.stack} +${proven.slice(0, 12)}`));
    expect(await repository.git("status", "--porcelain")).toBe(`M Pulumi.${target.project.stack}.yaml`);
    expect(await refused()).toMatch(/not committed yet: Pulumi/);
    await repository.commit();
    expect((await promote()).stdout).toMatch(/has what was proven in .* already/);
  });
});

describe("F42 a promotion that fails", () => {
  test("F42 a migration that the target's data is against: settings and schema are as before", async () => {
    const administrator = await target.session("administrator");
    await administrator.query("INSERT INTO orders (id, note) VALUES (1, 'a'), (2, 'a')");
    await administrator.end();
    await migration("0003_more", "CREATE TABLE more (n int);", "DROP TABLE more;");
    await migration(
      "0004_once",
      "ALTER TABLE orders ADD CONSTRAINT once UNIQUE (note);",
      "ALTER TABLE orders DROP CONSTRAINT once;",
    );
    await prove({ serverSettings: { random_page_cost: 2 } });
    const before = await targetSettings();
    expect(await refused()).toMatch(
      /the promotion failed, and stack \S+ is as it was before: pulumi up of stack \S+ ended with/,
    );
    expect(await targetSettings()).toBe(before);
    expect(await target.value("to_regclass('public.more')")).toBeNull();
    expect(await target.value("(SELECT count(*) FROM public.orders)")).toBe("2");
    expect(await target.value("current_setting('random_page_cost')")).toBe("1.1");
    const none = await target.project.pulumi(["preview", "--expect-no-changes"]);
    expect(none.code, none.output).toBe(0);
    expect((await target.project.pgstack(["promotions"])).stdout).toMatch(/failed/);
  });

  test("F42 killed alone: its up goes on, and completes it", async () => {
    const administrator = await target.session("administrator");
    await administrator.query("DELETE FROM orders WHERE id = 2");
    await administrator.end();
    const killed = await killedWhenUpdating((child) => child.kill("SIGKILL"));
    // It has ended when its up has, which has its output.
    expect(killed.output).toContain("the interrupted promotion");
    const told = await target.project.pgstack(["promotions"]);
    expect(told.stderr).toBe("");
    expect(told.stdout).toMatch(/completed +ok/);
    await repository.commit();
    expect((await promote()).stdout).toMatch(/has what was proven in .* already/);
    expect(await target.value("to_regclass('public.more')")).toBe("public.more");
  });
});

/** A promotion to which something is done when its up has begun. */
function killedWhenUpdating(kill: (child: ChildProcess) => unknown): Promise<Ended> {
  let done = false;
  return promote(["--yes"], {
    onStart: (child) => {
      child.stdout?.on("data", (piece: Buffer) => {
        if (done || !String(piece).includes("Updating")) return;
        done = true;
        void kill(child);
      });
    },
  });
}

describe("a promotion that is killed together with its up", () => {
  const killAll = (child: ChildProcess) => {
    child.kill("SIGKILL");
    return endProcessesIn(project.directory);
  };

  async function interrupted(version: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
    await migration(version, `CREATE TABLE t${version} (n int);`, `DROP TABLE t${version};`);
    await prove(settings);
    await killedWhenUpdating(killAll);
    await target.project.releaseDeadLocks();
    expect((await target.project.pgstack(["status"])).stderr).toMatch(
      /was interrupted .* --put-back takes it/,
    );
  }

  async function beforePutBack() {
    const { entries } = await callAgent<Backups>(target.target, "list");
    return entries.filter(({ label }) => label === "before put back");
  }

  test("is taken back on request alone: shown, after a backup, with the rows that go", async () => {
    const before = await targetSettings();
    await interrupted("0005_one", { serverSettings: { random_page_cost: 3 } });
    // As far as its schema, whenever it was killed.
    expect((await target.project.pgstack(["migrate", "up"])).code).toBe(0);
    await target.write("INSERT INTO public.t0005_one VALUES (1), (2)");
    expect(await refused()).toMatch(/nothing was changed: a promotion from .* was interrupted/);
    expect(await target.value("(SELECT count(*) FROM public.t0005_one)")).toBe("2");
    await markApplying();
    const earlier = await beforePutBack();
    const back = await promote(["--put-back", "--yes"]);
    expect(back.code, back.output).toBe(0);
    expect(back.stdout).toMatch(
      /Migrations that are taken back: 0005_one\.\n.*t0005_one is there since then, with 2 rows/,
    );
    expect(await targetSettings()).toBe(before);
    expect(await target.value("to_regclass('public.t0005_one')")).toBeNull();
    expect(await beforePutBack()).toHaveLength(earlier.length + 1);
    const none = await target.project.pulumi(["preview", "--expect-no-changes"]);
    expect(none.code, none.output).toBe(0);
  });

  test("is completed by an up; what is changed and written since stays, whoever promotes next", async () => {
    await interrupted("0006_two", { serverSettings: { random_page_cost: 3.5 } });
    const up = await target.up();
    expect(up.output).toContain("this up completes it");
    await target.write("INSERT INTO public.t0006_two VALUES (1)");
    await writeFile(
      join(project.directory, `Pulumi.${target.project.stack}.yaml`),
      `${await targetSettings()}  pgstack:maxConnections: 60\n`,
    );
    await repository.commit();
    const settings = await targetSettings();
    expect((await promote(["--dry-run"])).output).not.toContain("interrupted");
    expect((await promote([])).output).not.toContain("Putting stack");
    await writeFile(join(project.directory, "note.txt"), "not committed");
    expect(await refused()).toMatch(/not committed yet/);
    await rm(join(project.directory, "note.txt"));
    expect(await targetSettings()).toBe(settings);
    expect(await target.value("(SELECT count(*) FROM public.t0006_two)")).toBe("1");
  });

  test("is not taken back over a schema that somebody has taken further", async () => {
    await interrupted("0007_three", { serverSettings: { random_page_cost: 3.6 } });
    await migration("0008_four", "CREATE TABLE four (n int);", "DROP TABLE four;");
    expect((await target.project.pgstack(["migrate", "up"])).code).toBe(0);
    await markApplying();
    expect(await refused("--put-back", "--yes")).toMatch(/0008_four was applied since, by somebody else/);
    expect(await target.value("to_regclass('public.four')")).toBe("public.four");
    expect((await target.project.pgstack(["migrate", "down", "--yes"])).code).toBe(0);
    await rm(join(project.directory, "migrations", "0008_four.up.sql"));
    await rm(join(project.directory, "migrations", "0008_four.down.sql"));
    await target.up();
    await repository.commit();
  });

  /** Whether the up had come as far as its program when it was killed. */
  async function markApplying(): Promise<void> {
    const journal = await readJournal(project.directory, target.project.stack);
    if (journal === undefined) throw new Error("no promotion is interrupted");
    await writeJournal(project.directory, target.project.stack, { ...journal, applying: true });
  }
});

test("two promotions at once: one is done, the other refused before anything, and what runs is what the file says", async () => {
  await migration("0008_five", "CREATE TABLE five (n int);", "DROP TABLE five;");
  await prove({ serverSettings: { random_page_cost: 3.7 } });
  const both = await Promise.all([promote(), promote()]);
  expect(both.map(({ code }) => code).sort()).toEqual([0, 1]);
  const loser = both.find(({ code }) => code === 1);
  expect(loser?.stderr).toMatch(
    /nothing was changed: stack \S+ is being changed by process \d+ .* for a promotion from/,
  );
  expect(await targetSettings()).toContain("0008");
  expect(await target.value("to_regclass('public.five')")).toBe("public.five");
  const none = await target.project.pulumi(["preview", "--expect-no-changes"]);
  expect(none.code, none.output).toBe(0);
});
