import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, type RunOptions, TestProject } from "../support/project.ts";

let project: TestProject;
/** One with a secret in its settings and nothing made, and one that was only ever made room for. */
let configured: TestProject;
let bare: TestProject;
let passwords: unknown;

beforeAll(async () => {
  project = await TestProject.create();
  succeeded(await project.up());
  passwords = await readPasswords();
  await keep(project.passphrase);
  [configured, bare] = [project.sibling("b"), project.sibling("c")];
  for (const { stack } of [configured, bare]) succeeded(await project.pulumi(["stack", "init", stack]));
  succeeded(
    await configured.pulumi(["config", "set", "--secret", "pgstack:backupKey", "a secret of the settings"]),
  );
});

afterAll(() => project?.remove());

function succeeded(ended: Ended): Ended {
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

function inFolder(name: string): string {
  return join(project.directory, ".pgstack", name);
}

async function keep(passphrase: string): Promise<void> {
  await writeFile(inFolder("passphrase"), `${passphrase}\n`, { mode: 0o600 });
}

/** A command with the passphrase in the file that the set-up makes. */
function withFile(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const main = join(project.directory, "cli", "main.ts");
  return project.run(
    "env",
    [
      ...["-u", "PULUMI_CONFIG_PASSPHRASE", `PULUMI_CONFIG_PASSPHRASE_FILE=${inFolder("passphrase")}`],
      ...[process.execPath, main, "--stack", project.stack, ...words],
    ],
    options,
  );
}

function rotate(options: RunOptions = {}): Promise<Ended> {
  return withFile(["state", "rotate-passphrase"], options);
}

async function readPasswords(): Promise<unknown> {
  return (await project.outputs<{ readonly passwords: unknown }>()).passwords;
}

/** What the file has now opens every stack, and only that. */
async function requireRotated(former: string): Promise<void> {
  const stacks = [project, configured, bare];
  const present = (await readFile(inFolder("passphrase"), "utf8")).trim();
  expect(present).not.toBe(former);
  for (const name of ["passphrase.next", "passphrase.former", "passphrase.lock"])
    expect(existsSync(inFolder(name)), name).toBe(false);
  for (const one of stacks) one.passphrase = former;
  for (const one of stacks) {
    const shut = await one.pulumi(["config", "set", "--secret", "pgstack:backupKey", "nothing"]);
    expect([one.stack, shut.code, shut.output]).toEqual([
      ...[one.stack, expect.any(Number), expect.stringContaining("incorrect passphrase")],
    ]);
    expect(shut.code).not.toBe(0);
  }
  const shut = await project.pgstack(["connection-info", "--show-secrets"]);
  expect([shut.code, shut.stderr]).toEqual([1, expect.stringContaining("with another passphrase")]);
  for (const one of stacks) one.passphrase = present;
  expect(await readPasswords()).toEqual(passwords);
  expect(succeeded(await configured.pulumi(["config", "get", "pgstack:backupKey"])).stdout.trim()).toBe(
    "a secret of the settings",
  );
  succeeded(await bare.pulumi(["config", "set", "--secret", "pgstack:backupKey", "of the bare one"]));
  succeeded(await project.pulumi(["preview", "--refresh", "--expect-no-changes"]));
}

/** A `pulumi` that writes the settings anew and not the state, as one that is cut off between the two; then more happens. */
async function cutOff(then: string): Promise<RunOptions> {
  const folder = join(project.directory, "cut-off");
  const { stdout } = await project.run("sh", ["-c", "command -v pulumi"]);
  const state = join(project.directory, ".pgstack/state/.pulumi/stacks/pgstack", `${project.stack}.json`);
  const program = `#!/bin/sh
case "$*" in
*"change-secrets-provider"*"--stack ${project.stack} "*)
  cp '${state}' '${state}.kept'
  '${stdout.trim()}' "$@"
  mv '${state}.kept' '${state}'
  ${then} ;;
esac
exec '${stdout.trim()}' "$@"
`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "pulumi"), program);
  await chmod(join(folder, "pulumi"), 0o755);
  return { environment: { PATH: `${folder}:${process.env["PATH"]}` } };
}

describe("F41 G2 a new passphrase", () => {
  test("is refused where the passphrase is kept elsewhere", async () => {
    const refused = await project.pgstack(["state", "rotate-passphrase"]);
    expect([refused.code, refused.stderr]).toEqual([
      ...[1, expect.stringContaining("the passphrase is not the one in .pgstack/passphrase")],
    ]);
  });

  test("opens every stack, one that was never brought up too; the old one opens nothing any more", async () => {
    const former = project.passphrase;
    const rotated = succeeded(await rotate());
    const all = [project.stack, configured.stack, bare.stack].sort().join(", ");
    expect(rotated.stdout).toContain(`it encrypts ${all}.`);
    const present = (await readFile(inFolder("passphrase"), "utf8")).trim();
    expect(present).toMatch(/^[\w-]{43}$/);
    expect(rotated.output).not.toContain(present);
    await requireRotated(former);
  });

  test("F39 two at once: one is refused, naming the other, and nothing is lost", async () => {
    const former = project.passphrase;
    const ended = await Promise.all([rotate(), rotate()]);
    expect(ended.map(({ code }) => code).sort(), ended.map(({ output }) => output).join("\n")).toEqual([
      0, 1,
    ]);
    expect(ended.find(({ code }) => code === 1)?.stderr).toMatch(
      /passphrase\.lock \(wanted for a new passphrase\) is held by .*: wait for it or end it/,
    );
    await requireRotated(former);
  });

  test("a state that cannot be written leaves the settings as they were; the next run goes on", async () => {
    const former = project.passphrase;
    const settings = join(project.directory, `Pulumi.${project.stack}.yaml`);
    const before = await readFile(settings, "utf8");
    const failed = await rotate(await cutOff("echo 'error: the disk is full' >&2; exit 255"));
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("the disk is full")]);
    expect(await readFile(settings, "utf8")).toBe(before);
    expect((await readFile(inFolder("passphrase"), "utf8")).trim()).toBe(former);
    expect(await readPasswords()).toEqual(passwords);
    succeeded(await rotate());
    await requireRotated(former);
  });

  test("F40 killed between settings and state: told by what needs them, and the next run goes on", async () => {
    const former = project.passphrase;
    const killed = await rotate(await cutOff("kill -9 $PPID; exit 255"));
    expect(killed.code).toBe(-1);
    const told = await withFile(["rotate", "application"]);
    expect([told.code, told.stderr]).toEqual([
      ...[1, expect.stringContaining("a change of the passphrase was cut off")],
    ]);
    expect(told.stderr).toContain("./pgstack state rotate-passphrase ends it");
    succeeded(await rotate());
    await requireRotated(former);
  });

  test("F40 killed between two stacks: the next run takes the others", async () => {
    const former = project.passphrase;
    const next = "the-next-passphrase";
    await writeFile(inFolder("passphrase.next"), `${next}\n`, { mode: 0o600 });
    const change = ["stack", "change-secrets-provider", "passphrase", "--stack", configured.stack];
    succeeded(await configured.run("pulumi", [...change, "--non-interactive"], { input: `${next}\n` }));
    const rotated = succeeded(await rotate());
    expect(rotated.output).not.toContain(`${configured.stack}: encrypting`);
    expect((await readFile(inFolder("passphrase"), "utf8")).trim()).toBe(next);
    await requireRotated(former);
  });
});
