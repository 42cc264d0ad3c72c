import { beforeAll, describe, expect, test } from "vitest";
import { helpOfCommands } from "../support/command-help.ts";
import { ended, outputs, pgstack, startPgstack } from "../support/fake-pulumi.ts";

const COMMANDS: readonly (readonly string[])[] = [
  ["status"],
  ["health"],
  ["connection-info"],
  ["psql"],
  ["logs"],
  ["audit"],
  ["audit", "list"],
  ["audit", "verify"],
  ["rotate"],
  ["doctor"],
  ["env"],
  ["clean"],
  ["state", "list"],
  ["state", "save"],
  ["state", "restore"],
  ["state", "rebuild"],
  ["state", "rotate-passphrase"],
  ["completion"],
];

const SECRETS = /secret-(one|two|three)/;

describe("help", () => {
  let helps: ReadonlyMap<string, string>;

  beforeAll(async () => {
    helps = await helpOfCommands();
  });

  test("the program's help names every command and every exit code", async () => {
    const { exitCode, stdout, stderr } = await pgstack(["--help"]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    const names = [...helps.keys()].filter((name) => /^\S+$/.test(name));
    expect(names).toEqual(expect.arrayContaining(COMMANDS.map(([name]) => name)));
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    for (const code of ["0", "1", "2", "3", "130"])
      expect(stdout).toMatch(new RegExp(`^  ${code} +\\w`, "m"));
  });

  test("a command's --help prints that, with exit code 0", async () => {
    const { exitCode, stdout, stderr } = await pgstack(["audit", "verify", "--help"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(helps.get("audit verify"));
  });

  test.each(COMMANDS.map((words) => words.join(" ")))(
    "%s --help: what it does, its options, two examples, exit codes",
    (words) => {
      const help = helps.get(words) ?? "";
      expect(help).toMatch(/^Usage: pgstack /);
      expect(help).toContain("--stack <name>");
      const examples = /Examples:\n((?: {2}.*\n)+)/.exec(help)?.[1] ?? "";
      expect(examples.trim().split("\n")).toHaveLength(2);
      expect(help).toContain("Exit codes:");
    },
  );

  test("every command that does something explains its options, with an example and the exit codes", () => {
    const names = [...helps.keys()];
    const families = names.filter((name) => names.some((below) => below.startsWith(`${name} `)));
    const lacking = [...helps].filter(
      ([name, help]) =>
        !families.includes(name) &&
        !/^Usage: pgstack .*\n\n\w[\s\S]*--stack <name>[\s\S]*\nExamples:\n {2}\S[\s\S]*\nExit codes:\n/.test(
          help,
        ),
    );
    expect(names.length).toBeGreaterThan(40);
    expect(lacking.map(([name]) => name)).toEqual([]);
  });

  test("no command at all prints the help and is wrong usage", async () => {
    const { exitCode, stdout, stderr } = await pgstack([]);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("Usage: pgstack");
  });

  test("no secret and no colour where nobody asked for them", async () => {
    const { stdout } = await pgstack(["--help"]);
    expect(stdout).not.toContain("\x1b");
  });
});

describe("wrong usage: one line, exit code 2", () => {
  test.each([
    [["statu"], "pgstack: unknown command 'statu': did you mean state, status?"],
    [["audit", "verfy"], "pgstack: unknown command 'verfy': did you mean verify?"],
    [["health", "--ful"], "pgstack: unknown option '--ful': did you mean --full?"],
    [["health", "--serve", "70000"], /^pgstack: .*--serve.*from 0 to 65535/],
    [["health", "--serve", "http"], /^pgstack: .*--serve.*from 0 to 65535/],
    [["health", "extra"], /^pgstack: too many arguments/],
    [["logs", "-n", "-1"], /^pgstack: .*--lines/],
    [["logs", "-n", "1e3"], /^pgstack: .*--lines/],
    [["audit", "-n", "0"], /^pgstack: .*--lines/],
    [["connection-info", "--role", "root"], /^pgstack: .*administrator, application, readonly/],
    [["connection-info", "--format", "yaml"], /^pgstack: .*text, json, env/],
    [["psql", "--role", "postgres"], /^pgstack: .*administrator, application, readonly/],
    [["rotate"], /^pgstack: missing required argument 'role'/],
    [["completion", "tcsh"], /^pgstack: .*bash, zsh/],
    [["env", "--shell", "cmd"], /^pgstack: .*posix, fish/],
    [["--stack", "a/b", "status"], /^pgstack: --stack "a\/b"/],
    [["--stack", "", "status"], /^pgstack: --stack ""/],
    [["--stack"], /^pgstack: option '--stack <name>' argument missing/],
    [["\x1b[31mred"], /^pgstack: unknown command '\\x1b\[31mred'/],
  ] as const)("%j", async (words, message) => {
    const { exitCode, stdout, stderr } = await pgstack(words, { outputs: outputs() });
    if (message instanceof RegExp) expect(stderr).toMatch(message);
    else expect(stderr.trimEnd()).toBe(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(exitCode).toBe(2);
  });

  test.each([
    [
      ["--latest", "--into", "clone", "--timeline", "2"],
      "--timeline does not go with --into: restore in place, or name a backup",
    ],
    [
      ["--latest", "--environment", "staging"],
      "--environment goes with --into: a stack's own is pgstack:environment",
    ],
  ])("pgstack restore %j", async (words, message) => {
    const { exitCode, stderr } = await pgstack(["restore", ...words]);
    expect([exitCode, stderr]).toEqual([2, `pgstack: ${message}\n`]);
  });

  test("a role that is none of the stack's", async () => {
    const { exitCode, stderr } = await pgstack(["rotate", "reedonly"], { outputs: outputs() });
    expect(stderr).toBe(`pgstack: role "reedonly" is none of the stack's: did you mean readonly?\n`);
    expect(exitCode).toBe(2);
  });
});

describe("a stack that is not there: exit code 3", () => {
  const NEEDS_A_STACK = [
    ["status"],
    ["health"],
    ["connection-info"],
    ["psql"],
    ["logs"],
    ["audit"],
    ["rotate", "readonly"],
  ];

  test.each(NEEDS_A_STACK.map((words) => [words]))("%j without the stack", async (words) => {
    const { exitCode, stdout, stderr } = await pgstack(["--stack", "nope", ...words], {
      error: "error: no stack named 'nope' found",
    });
    expect(stderr).toBe("pgstack: there is no stack nope: npm start -- --stack nope brings it up\n");
    expect(stdout).toBe("");
    expect(exitCode).toBe(3);
  });

  test.each(NEEDS_A_STACK.map((words) => [words]))("%j before its first up", async (words) => {
    const { exitCode, stderr } = await pgstack(["--stack", "ci-7", ...words], { outputs: {} });
    expect(stderr).toMatch(/^pgstack: stack ci-7 is there, but has never been brought up whole: .*\n$/);
    expect(exitCode).toBe(3);
  });

  test("the stack's name may come after the command, or from PGSTACK_STACK; an empty one is dev", async () => {
    const absent = { error: "error: no stack named 'x' found" };
    const after = await pgstack(["status", "--stack", "one"], absent);
    expect(after.stderr).toContain("there is no stack one:");
    const named = await pgstack(["status"], absent, { PGSTACK_STACK: "two" });
    expect(named.stderr).toContain("there is no stack two:");
    const empty = await pgstack(["status"], absent, { PGSTACK_STACK: "" });
    expect(empty.stderr).toContain("there is no stack dev:");
  });
});

describe("failures: one line, exit code 1, no stack trace, no secret", () => {
  test("pulumi's own last words", async () => {
    const { exitCode, stderr } = await pgstack(["status"], {
      error: "warning: something else\nerror: the backend is away",
    });
    expect(stderr).toBe("pgstack: pulumi stack output failed: the backend is away\n");
    expect(exitCode).toBe(1);
  });

  test("F41 another passphrase than the settings were made with: what to do", async () => {
    const { exitCode, stderr } = await pgstack(["status"], {
      error: "error: getting secrets manager: incorrect passphrase",
    });
    expect(stderr).toMatch(
      /^pgstack: Pulumi\.dev\.yaml or the stack's state was encrypted with another passphrase than this checkout has .*: bring that one here\..*\n$/,
    );
    expect(exitCode).toBe(1);
  });

  test("a new stack of a production one, whose backups would not leave the host", async () => {
    const production = { ...outputs(), deployed: { environment: "production" } };
    const { exitCode, stderr } = await pgstack(["restore", "--latest", "--into", "clone"], {
      outputs: production,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^pgstack: nothing was made: the backups of a production stack must leave the host, and clone would have no pgstack:backupS3.*--environment staging/,
    );
    const staging = ["restore", "--latest", "--into", "clone", "--environment", "staging"];
    expect((await pgstack(staging, { outputs: production })).stderr).toMatch(/Docker Engine does not answer/);
  });

  test("no pulumi on the PATH", async () => {
    const { exitCode, stderr } = await pgstack(["status"], {}, { PATH: "/nonexistent" });
    expect(stderr).toMatch(/^pgstack: the program pulumi is not there: .*\.\/pgstack.*\n$/);
    expect(exitCode).toBe(1);
  });

  test.each([["status"], ["logs"], ["psql"], ["connection-info"]])(
    "no Docker engine: %s",
    async (command) => {
      const { exitCode, stdout, stderr } = await pgstack([command], { outputs: outputs() });
      expect(stderr).toMatch(/^pgstack: .*\n$/);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
      expect(stdout).toBe("");
      expect(stderr).not.toMatch(SECRETS);
      expect(exitCode).toBe(1);
    },
  );

  test("L1 health without an engine is a failed report, for people and for machines", async () => {
    const logs = { logsDirectory: "/nonexistent/logs" };
    const people = await pgstack(["health"], { outputs: outputs(logs) });
    expect(people.exitCode).toBe(1);
    expect(people.stdout).toMatch(/^failed +readiness/m);
    const machines = await pgstack(["health", "--full", "--json"], { outputs: outputs(logs) });
    expect(machines.exitCode).toBe(1);
    expect(JSON.parse(machines.stdout)).toMatchObject({ stack: "dev", status: "failed" });
    for (const { stdout, stderr } of [people, machines]) expect(stdout + stderr).not.toMatch(SECRETS);
  });
});

describe("interruption", () => {
  test("Ctrl-C ends with 130 and says nothing", async () => {
    const child = await startPgstack(["status"], { hangs: true });
    const end = ended(child);
    // The stand-in's words go to pulumi's own pipe, so there is nothing to wait for but its process.
    await waitForChildOf(child.pid ?? 0);
    child.kill("SIGINT");
    expect(await end).toEqual({ exitCode: 130, stdout: "", stderr: "" });
  });

  test("a reader that has left is no error", async () => {
    const child = await startPgstack(["--help"]);
    child.stdout?.destroy();
    const { exitCode, stderr } = await ended(child);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
  });
});

async function waitForChildOf(pid: number): Promise<void> {
  const { readFile } = await import("node:fs/promises");
  await expect
    .poll(() => readFile(`/proc/${pid}/task/${pid}/children`, "utf8"), { timeout: 20_000 })
    .not.toBe("");
}
