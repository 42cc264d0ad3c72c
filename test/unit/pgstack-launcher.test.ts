import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

describe("the launcher", () => {
  test("works through links and from any folder", async () => {
    const { folder, run } = await checkout();
    await symlink(join(folder, "project", "pgstack"), join(folder, "one"));
    await symlink("one", join(folder, "two"));
    const { status, stdout } = run(["doctor", "--json"], join(folder, "two"));
    expect(status).toBe(0);
    expect(JSON.parse(stdout).findings).toContainEqual(
      expect.objectContaining({ name: "project", message: join(folder, "project") }),
    );
  });

  test("says what to install where there is no Node.js", async () => {
    const { folder } = await checkout();
    const bin = join(folder, "bin");
    await mkdir(bin);
    for (const name of ["readlink", "dirname"]) await symlink(`/usr/bin/${name}`, join(bin, name));
    const { status, stderr } = spawnSync("/bin/sh", [join(folder, "project", "pgstack"), "status"], {
      encoding: "utf8",
      env: { PATH: bin },
    });
    expect(stderr).toMatch(/^pgstack: Node\.js is not there: install version 20 or newer.*\n$/);
    expect(status).toBe(1);
  });
});

describe("npm's commands", () => {
  test.each([
    ["start", "npm start -- --help"],
    ["test", "npm test -- --help"],
    ["bench", "npm run bench -- --help"],
  ])("%s with an option that there is not: one line, and nothing is set up", (name, help) => {
    const program = join(PROJECT, "toolchain", `${name}.mjs`);
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, "--wrong"], {
      encoding: "utf8",
    });
    expect([status, stdout, stderr]).toEqual([
      1,
      "",
      `error: Unknown option '--wrong'; ${help} tells the options\n`,
    ]);
  });
});

describe("doctor without any set-up", () => {
  test("looks at everything and says how to mend it", async () => {
    const { run } = await checkout();
    const { status, stdout, stderr } = run(["doctor"]);
    expect(stderr).toBe("");
    expect(stdout).toContain("not done yet in this checkout");
    expect(stdout).toContain("to mend: npm start");
    expect(stdout).not.toContain("\x1b");
    expect(status).toBe(0);
  });

  test("a set-up that is broken: exit code 1, each finding with what mends it", async () => {
    const { folder, project, run } = await checkout();
    const dockerHost = `unix://${folder}/gone.sock`;
    await setUpRecord(project, {
      node: `${folder}/no-node`,
      tools: `${folder}/no-tools`,
      dockerHost,
      way: "registries",
    });
    const { status, stdout } = run(["doctor", "--json"]);
    const { findings, status: worst } = JSON.parse(stdout);
    expect(worst).toBe("failed");
    expect(status).toBe(1);
    for (const name of ["engine", "Node.js 24", "pulumi", "plugin docker", "plugin random", "passphrase"]) {
      const finding = { name, status: "failed", mend: expect.any(String) };
      expect(findings).toContainEqual(expect.objectContaining(finding));
    }
  });

  test("a passphrase that others can read, and a lock left by a dead process", async () => {
    const { folder, project, run } = await checkout();
    await setUpRecord(project, {
      node: process.execPath,
      tools: folder,
      dockerHost: "unix:///x",
      way: "internet",
    });
    await writeFile(join(project, ".pgstack", "passphrase"), "x");
    await chmod(join(project, ".pgstack", "passphrase"), 0o644);
    await stackState(project, "dev", 3);
    const locks = join(project, ".pgstack", "state", ".pulumi", "locks", "organization", "pgstack", "dev");
    await mkdir(locks, { recursive: true });
    const ended = spawnSync("true");
    const { hostname } = await import("node:os");
    await writeFile(join(locks, "1.json"), JSON.stringify({ pid: ended.pid, hostname: hostname() }));
    const { stdout } = run(["doctor", "--json"], undefined, { PULUMI_CONFIG_PASSPHRASE: undefined });
    const { findings } = JSON.parse(stdout);
    expect(findings).toContainEqual(
      expect.objectContaining({
        name: "passphrase",
        status: "warning",
        mend: expect.stringContaining("chmod 600"),
      }),
    );
    expect(findings).toContainEqual(
      expect.objectContaining({
        name: "stack dev",
        status: "failed",
        message: expect.stringContaining(`${ended.pid}`),
      }),
    );
  });

  test("a wrong option is one line and exit code 2", async () => {
    const { run } = await checkout();
    const { status, stderr } = run(["doctor", "--jason"]);
    expect(stderr).toMatch(/^pgstack: .*--jason.*\n$/);
    expect(status).toBe(2);
  });
});

describe("clean", () => {
  test("removes what can be had again, says so first, and leaves data, cache and everything else", async () => {
    const { folder, project, run } = await checkout();
    await fill(folder, project);
    const { status, stdout } = run(["clean"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^This goes:\n(.*\n)*Done\./);
    expect((await readdir(join(project, ".pgstack"))).sort()).toEqual(["passphrase", "stacks", "state"]);
    expect(existsSync(join(folder, "cache", "pgstack", "tools"))).toBe(true);
    const again = run(["clean"]);
    expect(again.stdout).toBe("Nothing is left of the set-up here.\n");
    expect(again.status).toBe(0);
  });

  test("--cache removes the tools as well", async () => {
    const { folder, project, run } = await checkout();
    await fill(folder, project);
    expect(run(["clean", "--cache"]).status).toBe(0);
    expect(existsSync(join(folder, "cache", "pgstack"))).toBe(false);
    expect(existsSync(join(project, ".pgstack", "state"))).toBe(true);
  });

  test("--data is refused while a stack has resources, and nothing at all is removed", async () => {
    const { folder, project, run } = await checkout();
    await fill(folder, project);
    await stackState(project, "dev", 2);
    const { status, stdout, stderr } = run(["clean", "--data", "--cache"]);
    expect(stderr).toMatch(/^pgstack: .*stack dev.*pulumi destroy.*--yes.*\n$/);
    expect(stdout).toBe("");
    expect(status).toBe(1);
    expect(existsSync(join(project, ".pgstack", "environment.json"))).toBe(true);
    expect(existsSync(join(folder, "cache", "pgstack"))).toBe(true);
  });

  test("--data asks first: without a terminal and without --yes nothing goes", async () => {
    const { folder, project, run } = await checkout();
    await fill(folder, project);
    await stackState(project, "dev", 0);
    const { status, stderr } = run(["clean", "--data"]);
    expect(stderr).toMatch(/^pgstack: .*terminal.*--yes\n$/);
    expect(status).toBe(1);
    expect(existsSync(join(project, ".pgstack", "state"))).toBe(true);
  });

  test("--data --yes removes the state, and names the stacks that it gives up", async () => {
    const { folder, project, run } = await checkout();
    await fill(folder, project);
    await stackState(project, "dev", 2);
    const { status, stdout } = run(["clean", "--data", "--yes"]);
    expect(stdout).toContain("of stack dev that STILL HAS RESOURCES");
    expect(status).toBe(0);
    expect(await readdir(join(project, ".pgstack"))).toEqual([]);
    expect(existsSync(join(folder, "cache", "pgstack"))).toBe(true);
  });

  test("a state that can't be read counts as one with resources", async () => {
    const { project, run } = await checkout();
    await stackState(project, "dev", 0);
    await writeFile(join(project, ".pgstack", "state", ".pulumi", "stacks", "pgstack", "dev.json"), "{");
    expect(run(["clean", "--data"]).stderr).toContain("stack dev");
  });
});

/** A copy of what the launcher needs, with places of its own for everything and no packages. */
async function checkout() {
  const folder = await temporaryFolder();
  const project = join(folder, "project");
  await mkdir(project);
  for (const name of ["pgstack", "package.json", "package-lock.json", "toolchain"]) {
    await cp(join(PROJECT, name), join(project, name), { recursive: true });
  }
  const run = (words: readonly string[], program?: string, more: Record<string, string | undefined> = {}) =>
    spawnSync(program ?? join(project, "pgstack"), words, {
      encoding: "utf8",
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
        HOME: folder,
        XDG_CACHE_HOME: join(folder, "cache"),
        PGSTACK_ENGINE_HOME: join(folder, "engine"),
        ...more,
      },
    });
  return { folder, project, run };
}

async function setUpRecord(project: string, record: object): Promise<void> {
  await mkdir(join(project, ".pgstack"), { recursive: true });
  await writeFile(join(project, ".pgstack", "environment.json"), JSON.stringify(record));
}

async function stackState(project: string, stack: string, resources: number): Promise<void> {
  const stacks = join(project, ".pgstack", "state", ".pulumi", "stacks", "pgstack");
  await mkdir(stacks, { recursive: true });
  const own = Array.from({ length: resources }, () => ({ type: "docker:index/volume:Volume" }));
  const latest = { resources: [{ type: "pulumi:pulumi:Stack" }, ...own] };
  await writeFile(join(stacks, `${stack}.json`), JSON.stringify({ version: 3, checkpoint: { latest } }));
}

async function fill(folder: string, project: string): Promise<void> {
  await setUpRecord(project, {
    node: process.execPath,
    tools: folder,
    dockerHost: "unix:///x",
    way: "internet",
  });
  for (const name of ["pulumi", "state", "stacks"]) await mkdir(join(project, ".pgstack", name));
  await writeFile(join(project, ".pgstack", "passphrase"), "x", { mode: 0o600 });
  await mkdir(join(folder, "cache", "pgstack", "tools"), { recursive: true });
}
