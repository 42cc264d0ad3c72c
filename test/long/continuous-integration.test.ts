import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listThings, removeContainers, removeStorage } from "../../operations/stack-things.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";
import { Manual } from "../support/manual.ts";
import { endProcessesIn } from "../support/processes.ts";

const run = promisify(execFile);
/** What a checkout does not bring. */
const NOT_COPIED = new Set([".pgstack", ".git", "logs", "node_modules"]);

const stack = `ci-${randomBytes(4).toString("hex")}`;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pgstack-ci-"));
  for (const entry of await readdir(PROJECT_DIRECTORY)) {
    if (!NOT_COPIED.has(basename(entry))) {
      await cp(join(PROJECT_DIRECTORY, entry), join(folder, entry), { recursive: true });
    }
  }
  await cp(join(folder, "Pulumi.ci.yaml"), join(folder, `Pulumi.${stack}.yaml`));
});

afterAll(async () => {
  await endProcessesIn(folder);
  await removeContainers(stack);
  await removeStorage(stack);
  await rm(folder, { recursive: true, force: true });
});

/** A line as a shell runs it, in a checkout of its own that knows nothing of this run. */
async function line(command: string): Promise<string> {
  const {
    PGSTACK_IMAGE: _,
    PULUMI_HOME,
    PULUMI_BACKEND_URL,
    PULUMI_CONFIG_PASSPHRASE_FILE,
    ...env
  } = process.env;
  expect([PULUMI_HOME, PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE_FILE]).toHaveLength(3);
  const { stdout, stderr } = await run("bash", ["-c", command], {
    cwd: folder,
    env,
    maxBuffer: 64 * 1024 ** 2,
  });
  return stdout + stderr;
}

describe("T4 docs/testing.md, in continuous integration", () => {
  test("T4 a throw-away stack by the two commands around the tests, as they are written; nothing is left", async () => {
    const manual = await Manual.read("testing.md");
    const own = (text: string) => text.replaceAll("--stack ci", `--stack ${stack}`);
    const [start = "", tests = "", destroy = ""] = manual.commands("In continuous integration");
    expect([start, tests]).toEqual(["npm start -- --stack ci", "npm test"]);
    expect(await line(own(start))).toMatch(/PostgreSQL is up/);
    expect(await line(own("./pgstack --stack ci reset-test"))).not.toBe("");
    // The mark that policies were run is in what plain pulumi says in such a shell.
    expect(await line(own('eval "$(./pgstack env)" && pulumi preview --stack ci'))).toMatch(
      /Policies:\s+\S+ pgstack@/,
    );
    expect(await line(own(destroy))).toMatch(/destroyed|deleted/);
    expect(await listThings(stack)).toEqual({ containers: [], volumes: [], networks: [] });
  }, 900_000);
});
