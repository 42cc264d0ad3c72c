import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../cli/preview-change/free-port.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import { Checkout } from "../support/checkout.ts";
import { Manual } from "../support/manual.ts";

const STACKS = ["dev", "ci", "staging", "prod"] as const;
const STORY = "A change, from development to production and back";
const suffix = randomBytes(4).toString("hex");

/** A stack's name of this run, in place of the manual's. */
const named = (stack: string) => `${stack}-${suffix}`;
/** A line of the manual with the names of this run; nothing else of it is changed. */
const own = (line: string) =>
  line.replaceAll(/\b(dev|ci|staging|prod)\b(?=[ .]|$)/g, (stack) => named(stack));

let checkout: Checkout;
let manual: Manual;
let commands: string[];

beforeAll(async () => {
  checkout = await Checkout.make(STACKS.map(named));
  manual = await Manual.read("environments.md");
  commands = manual.commands(STORY);
  for (const stack of STACKS) {
    const file = join(checkout.folder, `Pulumi.${stack}.yaml`);
    await rename(file, join(checkout.folder, `Pulumi.${named(stack)}.yaml`));
  }
  const port = await freePort();
  await edit(`Pulumi.${named("dev")}.yaml`, (text) => text.replaceAll("15432", String(port)));
  // There is no object storage here; everything else of production holds.
  const until = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
  const exception = {
    ...{ rule: "backups-off-host", stack: named("prod"), until },
    reason: "this test has no object storage",
  };
  await writeFile(join(checkout.folder, "policies", "exceptions.json"), JSON.stringify([exception]));
  await line("git init --quiet && git config user.name tests && git config user.email tests@example.org");
  await line("git config commit.gpgsign false");
  for (const stack of STACKS) expect(await line(`npm start -- --stack ${stack}`)).toMatch(/PostgreSQL is up/);
  await line('git add --all && git commit --quiet --message "four stacks"');
}, 900_000);

afterAll(() => checkout?.remove());

async function edit(name: string, change: (text: string) => string): Promise<void> {
  const file = join(checkout.folder, name);
  await writeFile(file, change(await readFile(file, "utf8")));
}

/** Runs a line as it is written, but for names, and for questions that nobody is here to answer. */
async function line(command: string): Promise<string> {
  const asks =
    /^\.\/pgstack( --stack \S+)? (promote|migrate down)\b/.test(command) && !command.includes("--dry-run");
  const full = `eval "$(./pgstack env)"; set -e; ${own(command)}${asks ? " --yes" : ""}`;
  return await checkout.line(full, { PGSTACK_STACK: named("dev") });
}

/** Takes the story's next lines, up to the one that begins so. */
async function until(beginning: string): Promise<string> {
  let said = "";
  for (;;) {
    const command = commands.shift();
    if (command === undefined)
      throw new Error(`docs/environments.md has no line ${beginning} where it is looked for`);
    said = await line(command);
    if (command.startsWith(beginning)) return said;
  }
}

async function present(stack: string): Promise<unknown> {
  const target = { stack: named(stack), container: `pgstack-${named(stack)}`, port: 5432, database: "app" };
  const sql = `SELECT current_setting('default_statistics_target') AS statistics, to_regclass('public.delivery_notes') IS NOT NULL AS "table"`;
  return (await queryAsSuperuser(target, sql, { database: "app" }))[0];
}

describe("G2 docs/environments.md, the story", () => {
  const BEFORE = { statistics: "100", table: false };
  const AFTER = { statistics: "200", table: true };

  test("made in development", async () => {
    expect(await present("dev")).toEqual(BEFORE);
    expect(await until("./pgstack --stack dev migrate status")).toMatch(/0001_delivery_notes/);
    expect(await present("dev")).toEqual(AFTER);
    await until("git commit");
  }, 300_000);

  test("G4 looked at", async () => {
    expect(await until("./pgstack preview-change")).toMatch(/default_statistics_target|server-configuration/);
  }, 300_000);

  test("promoted from stack to stack, each a commit; none but the one that is promoted to changes", async () => {
    await until("./pgstack promote dev ci");
    expect([await present("ci"), await present("staging")]).toEqual([AFTER, BEFORE]);
    await until("./pgstack promote ci staging");
    expect([await present("staging"), await present("prod")]).toEqual([AFTER, BEFORE]);
    expect(await until("./pgstack promote staging prod --dry-run")).toMatch(/default_statistics_target.*200/);
    expect(await present("prod")).toEqual(BEFORE);
    await until("./pgstack promote staging prod");
    expect(await present("prod")).toEqual(AFTER);
    expect(await until("./pgstack --stack prod promotions")).toMatch(new RegExp(`ok +${named("staging")}`));
  }, 900_000);

  test("and back", async () => {
    await until("npm start -- --stack prod --preview");
    await until("npm start -- --stack prod");
    expect(await present("prod")).toEqual({ statistics: "100", table: true });
    await until("./pgstack --stack prod migrate down --to 0000 --dry-run");
    await until("./pgstack --stack prod migrate down --to 0000");
    expect(await present("prod")).toEqual(BEFORE);
    await until("./pgstack --stack prod health --full");
    expect(commands).toEqual([]);
    expect(await present("staging")).toEqual(AFTER);
  }, 300_000);
});

describe("docs/environments.md, the other commands", () => {
  test("drift: none after the story", async () => {
    const drift = manual.commands("Drift");
    expect(drift).toHaveLength(3);
    for (const command of drift) expect(await line(command)).toMatch(/No drift|"drift": \[\]/);
  }, 300_000);
});
