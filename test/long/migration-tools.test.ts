import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../../cli/preview-change/free-port.ts";
import { cacheDirectory } from "../../toolchain/directories.mjs";
import { LiveStack } from "../support/security/live-stack.ts";

const SUPPORT = fileURLToPath(new URL("../support/", import.meta.url));
const run = promisify(execFile);

let stack: LiveStack;
/** Where the tools work: a folder each. */
let folder: string;
let urls: { readonly url: string; readonly jdbcUrl: string };

beforeAll(async () => {
  // At a published port, since only libpq's URLs can say which address a name is at.
  stack = await LiveStack.bringUp({ publish: true, publishPort: await freePort() });
  folder = join(stack.project.directory, "tools");
  const info = await stack.project.pgstack([
    ...["connection-info", "--role", "administrator", "--format", "json", "--show-secrets"],
  ]);
  expect(info.code, info.stderr).toBe(0);
  urls = JSON.parse(info.stdout) as typeof urls;
});

afterAll(() => stack?.project.remove());

beforeEach(async () => {
  const administrator = await stack.session("administrator");
  await administrator.query("DROP TABLE IF EXISTS things");
  await administrator.end();
});

/** Runs a tool as anybody would, with the URL in the environment. */
async function tool(
  name: string,
  words: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { ...process.env, DATABASE_URL: urls.url, ...environment };
  const { stdout, stderr } = await run(name, words, { cwd, env, maxBuffer: 16 * 1024 ** 2 });
  return stdout + stderr;
}

/** Asserts that the application may use what the tool made, and that the stack has nothing to change. */
async function expectGrants(): Promise<void> {
  const application = await stack.session("application");
  await application.query("INSERT INTO things (id, name) VALUES (1, 'by the application')");
  await application.end();
  const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
  expect(preview.code, preview.output).toBe(0);
}

async function columns(): Promise<string | null> {
  return stack.value(
    "(SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'things')",
  );
}

describe("M2 Alembic, unchanged, with the URL that connection-info prints", () => {
  let place: string;

  beforeAll(async () => {
    place = join(folder, "alembic");
    await mkdir(place, { recursive: true });
    const requirements = join(SUPPORT, "alembic", "requirements.txt");
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    await run("python3", [...pip, "--target", join(place, "packages"), "--requirement", requirements]);
  });

  test("M2 revision, upgrade head, downgrade -1, over TLS; what it makes gets the grants that the stack declares", async () => {
    expect(urls.url).toMatch(/^postgresql:\/\/administrator:.*sslmode=verify-full/);
    await alembic("init", "migrations");
    const environment = join(place, "migrations", "env.py");
    const text = await readFile(environment, "utf8");
    // The one change that Alembic's own guide names for a URL out of the environment.
    const line =
      'import os\nconfig.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"].replace("%", "%%"))';
    await writeFile(
      environment,
      text.replace("config = context.config\n", `config = context.config\n${line}\n`),
    );
    await revise(
      "first",
      "op.execute('CREATE TABLE things (id int PRIMARY KEY)')",
      "op.drop_table('things')",
    );
    await revise(
      "second",
      "op.execute('ALTER TABLE things ADD COLUMN name text')",
      "op.drop_column('things', 'name')",
    );
    await alembic("upgrade", "head");
    expect(await columns()).toBe("id,name");
    expect(await alembic("current")).toMatch(/\(head\)/);
    await alembic("downgrade", "-1");
    expect(await columns()).toBe("id");
    await alembic("downgrade", "base");
    expect(await columns()).toBeNull();
    await alembic("upgrade", "head");
    await expectGrants();
  });

  async function alembic(...words: string[]): Promise<string> {
    return tool("python3", ["-m", "alembic", ...words], place, { PYTHONPATH: join(place, "packages") });
  }

  /** A revision with these two steps in place of Alembic's empty ones. */
  async function revise(name: string, up: string, down: string): Promise<void> {
    await alembic("revision", "-m", name);
    const versions = join(place, "migrations", "versions");
    const file = (await readdir(versions)).find((one) => one.endsWith(`_${name}.py`));
    if (file === undefined) throw new Error(`Alembic has made no revision ${name}`);
    const text = await readFile(join(versions, file), "utf8");
    const [head = "", tail = ""] = text.split("def downgrade() -> None:");
    const steps = [head.replace(/^ {4}pass$/m, `    ${up}`), tail.replace(/^ {4}pass$/m, `    ${down}`)];
    await writeFile(join(versions, file), steps.join("def downgrade() -> None:"));
  }
});

describe("M2 Knex, unchanged, with the URL that connection-info prints", () => {
  let place: string;

  beforeAll(async () => {
    place = join(folder, "knex");
    await cp(join(SUPPORT, "knex"), place, { recursive: true });
    await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: place });
    await writeFile(
      join(place, "knexfile.js"),
      'module.exports = { client: "pg", connection: process.env.DATABASE_URL };\n',
    );
  });

  test("M2 make, latest, rollback, over TLS; what it makes gets the grants that the stack declares", async () => {
    await step("first", 'raw("CREATE TABLE things (id int PRIMARY KEY)")', 'dropTable("things")');
    await knex("migrate:up");
    expect(await columns()).toBe("id");
    await step(
      "second",
      'raw("ALTER TABLE things ADD COLUMN name text")',
      'raw("ALTER TABLE things DROP COLUMN name")',
    );
    await knex("migrate:latest");
    expect(await columns()).toBe("id,name");
    await knex("migrate:rollback");
    expect(await columns()).toBe("id");
    await knex("migrate:latest");
    await expectGrants();
  });

  async function knex(...words: string[]): Promise<string> {
    return tool(join(place, "node_modules", ".bin", "knex"), words, place);
  }

  async function step(name: string, up: string, down: string): Promise<void> {
    await knex("migrate:make", name);
    const versions = join(place, "migrations");
    const file = (await readdir(versions)).find((one) => one.endsWith(`_${name}.js`));
    if (file === undefined) throw new Error(`Knex has made no migration ${name}`);
    await writeFile(
      join(versions, file),
      `exports.up = (knex) => knex.schema.${up};\nexports.down = (knex) => knex.schema.${down};\n`,
    );
  }
});

describe("M2 Liquibase, unchanged, with the JDBC URL that connection-info prints", () => {
  let place: string;

  beforeAll(async () => {
    place = join(folder, "liquibase");
    await cp(join(SUPPORT, "liquibase"), place, { recursive: true });
  });

  test("M2 update, rollback of one, over TLS; what it makes gets the grants that the stack declares", async () => {
    expect(urls.jdbcUrl).toMatch(/^jdbc:postgresql:.*sslmode=verify-full/);
    await writeFile(
      join(place, "changelog.sql"),
      `--liquibase formatted sql
--changeset test:first
CREATE TABLE things (id int PRIMARY KEY);
--rollback DROP TABLE things;
--changeset test:second
ALTER TABLE things ADD COLUMN name text;
--rollback ALTER TABLE things DROP COLUMN name;
`,
    );
    await liquibase("update");
    expect(await columns()).toBe("id,name");
    await liquibase("rollback", "-Dliquibase.rollbackCount=1");
    expect(await columns()).toBe("id");
    await liquibase("update");
    await expectGrants();
  });

  async function liquibase(goal: string, ...words: string[]): Promise<string> {
    const repository = `-Dmaven.repo.local=${join(cacheDirectory(), "maven")}`;
    return tool("mvn", ["--batch-mode", "--quiet", repository, `liquibase:${goal}`, ...words], place, {
      DATABASE_URL: urls.jdbcUrl,
    });
  }
});
