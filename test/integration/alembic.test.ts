import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LiveStack } from "../support/security/live-stack.ts";

const REQUIREMENTS = fileURLToPath(new URL("../support/alembic/requirements.txt", import.meta.url));
const run = promisify(execFile);

let stack: LiveStack;
let folder: string;
let url: string;

beforeAll(async () => {
  stack = await LiveStack.bringUp();
  folder = join(stack.project.directory, "alembic");
  await mkdir(folder);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
  await run("python3", [...pip, "--target", join(folder, "packages"), "--requirement", REQUIREMENTS]);
  const info = await stack.project.pgstack([
    ...["connection-info", "--role", "administrator", "--format", "json", "--show-secrets"],
  ]);
  expect(info.code, info.stderr).toBe(0);
  url = (JSON.parse(info.stdout) as { url: string }).url;
});

afterAll(() => stack?.project.remove());

/** Runs Alembic as anybody would, with the URL in the environment. */
async function alembic(...words: string[]): Promise<string> {
  const env = { ...process.env, PYTHONPATH: join(folder, "packages"), DATABASE_URL: url };
  const { stdout, stderr } = await run("python3", ["-m", "alembic", ...words], { cwd: folder, env });
  return stdout + stderr;
}

async function columns(): Promise<string | null> {
  return stack.value(
    "(SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'things')",
  );
}

describe("M2 Alembic, unchanged, with the URL that connection-info prints", () => {
  test("M2 revision, upgrade head, downgrade -1, over TLS", async () => {
    expect(url).toMatch(/^postgresql:\/\/administrator:.*sslmode=verify-full/);
    await alembic("init", "migrations");
    const environment = join(folder, "migrations", "env.py");
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
      "op.execute('CREATE TABLE things (id int PRIMARY KEY, tls bool)')",
      "op.drop_table('things')",
    );
    await revise(
      "second",
      "op.execute('ALTER TABLE things ADD COLUMN name text')",
      "op.drop_column('things', 'name')",
    );
    await alembic("upgrade", "head");
    expect(await columns()).toBe("id,tls,name");
    expect(await alembic("current")).toMatch(/\(head\)/);
    await alembic("downgrade", "-1");
    expect(await columns()).toBe("id,tls");
    await alembic("upgrade", "head");
    await alembic("downgrade", "base");
    expect(await columns()).toBeNull();
  });

  test("M2 what Alembic makes gets the grants that the stack declares", async () => {
    await alembic("upgrade", "head");
    const application = await stack.session("application");
    await application.query("INSERT INTO things (id, name) VALUES (1, 'by the application')");
    await application.end();
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
  });
});

/** A revision with these two steps in place of Alembic's empty ones. */
async function revise(name: string, up: string, down: string): Promise<void> {
  await alembic("revision", "-m", name);
  const versions = join(folder, "migrations", "versions");
  const file = (await readdir(versions)).find((one) => one.endsWith(`_${name}.py`));
  if (file === undefined) throw new Error(`Alembic has made no revision ${name}`);
  const text = await readFile(join(versions, file), "utf8");
  const [head = "", tail = ""] = text.split("def downgrade() -> None:");
  const steps = [head.replace(/^ {4}pass$/m, `    ${up}`), tail.replace(/^ {4}pass$/m, `    ${down}`)];
  await writeFile(join(versions, file), steps.join("def downgrade() -> None:"));
}
