import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { callAgent } from "../../operations/agent.ts";
import { connect } from "../../operations/connection.ts";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { serverTrust } from "../../operations/target.ts";
import { type Ended, TestProject } from "../support/project.ts";
import { writeSql } from "../support/up.ts";

interface Outputs {
  readonly connection: { readonly authority: string; readonly serverName: string };
  readonly passwords: Readonly<Record<string, string>>;
}

let project: TestProject;
let settings: Record<string, unknown>;

beforeAll(async () => {
  project = await TestProject.create();
  const sql = await writeSql(project, "rows.sql", "CREATE TABLE public.rows (n int PRIMARY KEY);");
  settings = { backup: true, backupEncryption: true, initSql: [sql] };
  await project.configure(settings);
  succeeded(await project.up());
  await runAsSuperuser(project.target, "INSERT INTO rows SELECT generate_series(1, 100)", {
    ...{ database: "app", role: "administrator" },
  });
  const [entry] = await callAgent<BackupEntry[]>(project.target, "backup", { kind: "full", waitSeconds: 60 });
  expect(entry?.encrypted).toBe(true);
});

afterAll(() => project?.remove());

function succeeded(ended: Ended): Ended {
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

/** The file in which Pulumi keeps the stack's state. */
function checkpoint(): string {
  return join(
    project.directory,
    ".pgstack",
    "state",
    ".pulumi",
    "stacks",
    "pgstack",
    `${project.stack}.json`,
  );
}

async function savedIds(): Promise<string[]> {
  const { stdout } = succeeded(await project.pgstack(["state", "list", "--json"]));
  return (JSON.parse(stdout) as { saved: { id: string }[] }).saved.map(({ id }) => id);
}

async function containerId(): Promise<string | undefined> {
  return (await findContainer(dockerEngine(), project.container))?.Id;
}

async function passwords(): Promise<Readonly<Record<string, string>>> {
  return (await project.outputs<Outputs>()).passwords;
}

async function requireData(): Promise<void> {
  const sql = "SELECT count(*)::int AS n FROM public.rows";
  expect(await queryAsSuperuser(project.target, sql, { database: "app" })).toEqual([{ n: 100 }]);
}

async function requireNoChanges(): Promise<void> {
  succeeded(await project.pulumi(["preview", "--refresh", "--expect-no-changes"]));
}

describe("state backups", () => {
  test("F40 plain pulumi up saves the state that it finds, pgstack that before and after", async () => {
    const before = await savedIds();
    succeeded(await project.up());
    const plain = await savedIds();
    expect(plain.slice(0, before.length)).toEqual(before);
    expect(plain.length).toBe(before.length + 1);
    succeeded(await project.pgstack(["rotate", "readonly"]));
    const rotated = await savedIds();
    expect(rotated.length).toBeGreaterThanOrEqual(plain.length + 2);
    // What is saved already is not saved again.
    const again = succeeded(await project.pgstack(["state", "save"]));
    expect(again.stdout).toContain(rotated.at(-1));
    expect(await savedIds()).toEqual(rotated);
  });

  test("F40 a folder that cannot be written: nothing is changed, and the line says which and what is right", async () => {
    const file = join(project.directory, "no-folder");
    await writeFile(file, "");
    const refused = await project.pgstack(["rotate", "application"], {
      environment: { PGSTACK_STATE_BACKUPS: file },
    });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /pgstack: the state of stack \w+ can't be saved: .*no-folder.*; PGSTACK_STATE_BACKUPS names another folder\n$/,
    );
    expect(refused.output).not.toContain("Updating");
    // The count that it raised is taken back for the tests to come.
    await project.configure({ ...settings, rotations: { readonly: 1 } });
    await requireNoChanges();
  });
});

describe("F40 the state is lost", () => {
  test("deleted: up refuses to begin anew beside the server; restored, everything is as before", async () => {
    const [before, old] = [await containerId(), await passwords()];
    await rm(checkpoint());
    succeeded(await project.run("pulumi", ["stack", "init", project.stack, "--non-interactive"]));
    for (const ended of [await project.up(), await project.pulumi(["preview"])]) {
      expect(ended.code).not.toBe(0);
      expect(ended.output).toContain(`the server of stack ${project.stack} is there`);
      expect(ended.output).toContain("state restore brings back a saved state");
    }
    expect(await containerId()).toBe(before);
    succeeded(await project.pgstack(["state", "restore", "--yes"]));
    expect(await passwords()).toEqual(old);
    await requireNoChanges();
    expect(await containerId()).toBe(before);
    await requireData();
  });

  test.each([
    ["empty", ""],
    ["cut off", '{"version": 3, "checkpoint": {"stack"'],
    ["something else", "\u0001\u0002 no JSON"],
    ["of another shape", "[]"],
  ])("damaged, %s: every command says so and what to do; the damaged file is kept", async (_name, text) => {
    const old = await passwords();
    await writeFile(checkpoint(), text);
    for (const words of [["status"], ["rotate", "application"], ["state", "save"]]) {
      const ended = await project.pgstack(words);
      expect([words, ended.code]).toEqual([words, 1]);
      expect(ended.stderr).toMatch(
        /^pgstack: the state of stack \w+ is damaged and can't be read .*state restore/,
      );
    }
    const restored = succeeded(await project.pgstack(["state", "restore", "--yes"]));
    const [, aside = ""] = /the damaged state is kept: (.*)/.exec(restored.stderr) ?? [];
    expect(await readFile(aside, "utf8")).toBe(text);
    expect(await passwords()).toEqual(old);
    await requireNoChanges();
  });

  test("restore from a file elsewhere; one of another stack, one that is none and a wrong id are refused", async () => {
    const { stdout } = succeeded(await project.pgstack(["state", "save"]));
    const file = join(project.directory, "elsewhere.json");
    await cp(stdout.replace("Saved: ", "").trim(), file);
    const other = join(project.directory, "other.json");
    await writeFile(
      other,
      (await readFile(file, "utf8")).replaceAll(`pulumi:${project.stack}::`, "pulumi:shop::"),
    );
    const before = await readFile(checkpoint(), "utf8");
    const wrong: [string[], number, RegExp][] = [
      [["--file", other], 1, /other\.json is the state of stack shop: --stack shop restores it/],
      [["--file", "Pulumi.yaml"], 1, /Pulumi\.yaml can't be read as a saved state/],
      [["--file", "package.json"], 1, /package\.json is no saved state/],
      [["20200101"], 2, /"20200101": no saved state begins so; pgstack --stack \w+ state list names them/],
      [["2"], 2, /"2": \d+ saved states begin so/],
      [["20200101", "--file", file], 2, /an id or --file, not both/],
    ];
    for (const [words, code, line] of wrong) {
      const ended = await project.pgstack(["state", "restore", ...words, "--yes"]);
      expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(line)]);
    }
    const nobody = await project.pgstack(["state", "restore"]);
    expect([nobody.code, nobody.stderr]).toEqual([
      2,
      expect.stringContaining("not a terminal: pass --yes to"),
    ]);
    // Where only the present one is saved, which to bring back is not guessed.
    const only = await project.pgstack(["state", "restore", "--yes"], {
      environment: { PGSTACK_STATE_BACKUPS: join(project.directory, "only-the-present") },
    });
    expect([only.code, only.stderr]).toEqual([
      ...[1, expect.stringMatching(/no saved state of stack \w+ is another than the present one/)],
    ]);
    expect(await readFile(checkpoint(), "utf8")).toBe(before);
    await rm(checkpoint());
    succeeded(await project.pgstack(["state", "restore", "--file", file, "--yes"]));
    await requireNoChanges();
  });

  test("F39 a run at work is not disturbed by a restore", async () => {
    let refused: Promise<Ended> | undefined;
    const up = await project.up(["--refresh"], {
      onStart: (child) =>
        child.stdout?.on("data", (piece: Buffer) => {
          if (refused !== undefined || !/refreshing|unchanged/.test(String(piece))) return;
          // It holds still with its lock, so that it cannot be over before the other looks.
          child.kill("SIGSTOP");
          refused = project.pgstack(["state", "restore", "--yes"]).finally(() => child.kill("SIGCONT"));
        }),
    });
    succeeded(up);
    const ended = await refused;
    expect(ended?.code).toBe(1);
    expect(ended?.stderr).toContain("currently locked by 1 lock");
    await requireNoChanges();
  });
});

describe("F41 passphrase", () => {
  test("a whole state is not rebuilt, nor one that can be restored", async () => {
    const whole = await project.pgstack(["state", "rebuild", "--yes"]);
    expect([whole.code, whole.stderr]).toEqual([1, expect.stringContaining("there is nothing to rebuild")]);
    await rm(checkpoint());
    const restorable = await project.pgstack(["state", "rebuild", "--yes"]);
    expect([restorable.code, restorable.stderr]).toEqual([
      ...[1, expect.stringMatching(/a saved state of 2\S+ can be read: .*state restore keeps passwords/)],
    ]);
    succeeded(await project.pgstack(["state", "restore", "--yes"]));
  });

  test("lost for good: explained; a new state from the running server, with data, backups and a new passphrase", async () => {
    const old = await passwords();
    // A restore that was done long ago would be done again by a new state.
    await project.configure({
      ...settings,
      restore: { latest: true, from: { volume: "pgstack-gone-backups" } },
    });
    await project.pulumi([
      "config",
      "set",
      "--secret",
      "--path",
      "pgstack:restore.from.encryptionKey",
      "abc",
    ]);
    const lost = project.passphrase;
    project.passphrase = "another passphrase";
    const explained = await project.pgstack(["connection-info", "--show-secrets"]);
    expect([explained.code, explained.stderr]).toEqual([
      ...[1, expect.stringMatching(/with another passphrase.*Where it is lost for good, .*state rebuild/)],
    ]);
    const nobody = await project.pgstack(["state", "rebuild"]);
    expect([nobody.code, nobody.stderr]).toEqual([
      2,
      expect.stringContaining("not a terminal: pass --yes to"),
    ]);
    const rebuilt = succeeded(await project.pgstack(["state", "rebuild", "--yes"]));
    expect(rebuilt.stderr).toMatch(
      /found {4}on the running system: backupKey\n.*removed {2}from .*: restore/,
    );
    await requireData();
    await requireNoChanges();
    succeeded(await project.pgstack(["health", "--full"]));
    // The old backups open, and new ones go on with them.
    succeeded(await project.pgstack(["verify", "--all"]));
    succeeded(await project.pgstack(["backup", "--kind", "incr"]));
    const fresh = await passwords();
    const { connection } = await project.outputs<Outputs>();
    const signIn = (password = "") =>
      connect(project.target, { role: "application", password }, serverTrust(connection));
    await (await signIn(fresh["application"])).end();
    await expect(signIn(old["application"])).rejects.toThrow("password");
    // No secret in the settings, the saved files or what was printed.
    for (const secret of [...Object.values(fresh), ...Object.values(old), lost]) {
      expect(rebuilt.output).not.toContain(secret);
      expect(await readFile(join(project.directory, `Pulumi.${project.stack}.yaml`), "utf8")).not.toContain(
        secret,
      );
    }
    const folder = join(project.directory, ".pgstack", "state-backups", project.stack);
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), "utf8");
      for (const secret of [...Object.values(fresh), ...Object.values(old)])
        expect(text).not.toContain(secret);
    }
  });

  test("the whole checkout is lost: a new clone, with another passphrase, and the server", async () => {
    await rm(join(project.directory, ".pgstack", "state-backups"), { recursive: true });
    await rm(join(project.directory, ".pgstack", "state"), { recursive: true });
    await mkdir(join(project.directory, ".pgstack", "state"));
    project.passphrase = "that of a new clone";
    const refused = await project.run("pulumi", ["stack", "init", project.stack, "--non-interactive"]);
    expect(refused.output).toMatch(/incorrect passphrase/);
    succeeded(await project.pgstack(["state", "rebuild", "--yes"]));
    await requireData();
    await requireNoChanges();
    succeeded(await project.pgstack(["verify", "--all"]));
  });

  test("F40 nothing of the stack on the Docker host: said, and nothing changed", async () => {
    const nobody = project.sibling("n");
    await mkdir(join(project.directory, "logs"), { recursive: true });
    await writeFile(join(project.directory, `Pulumi.${nobody.stack}.yaml`), "config: {}\n");
    const ended = await nobody.pgstack(["state", "rebuild", "--yes"]);
    expect([ended.code, ended.stderr]).toEqual([
      ...[
        1,
        expect.stringMatching(
          /nothing of stack \w+ is on this Docker host: .*DOCKER_HOST names another host/,
        ),
      ],
    ]);
    expect(await readFile(join(project.directory, `Pulumi.${nobody.stack}.yaml`), "utf8")).toBe(
      "config: {}\n",
    );
  });
});
