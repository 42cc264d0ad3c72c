import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { inUseAfter } from "../../agent/upgrade/settle.ts";
import { withFormerSecrets } from "../../cli/state/former-secrets.ts";
import { stackLockPath } from "../../operations/lock/stack.ts";
import {
  hashOfSettings,
  type Journal,
  journalPath,
  outcomeOf,
  readJournal,
  writeJournal,
} from "../../operations/promotion/journal.ts";
import { outputs } from "../support/fake-pulumi.ts";
import { importState } from "../support/imported-state.ts";
import { type Ended, TestProject } from "../support/project.ts";

const LOCK_PROGRAM = new URL("../support/lock-program.ts", import.meta.url).pathname;
const AT = "2026-11-20T12:00:00.000Z";
const COMMIT = "1a2b3c4d5e6f";
const RECORD = { from: "ci", commit: COMMIT, at: AT };
const BEFORE = "config:\n  pgstack:environment: staging\n";
const WRITTEN = `${BEFORE}  pgstack:extensions: ["citext"]\n  pgstack:promotion: ${JSON.stringify(RECORD)}\n`;
const JOURNAL: Journal = {
  ...{ from: "ci", commit: COMMIT, at: AT, settings: BEFORE },
  settingsWritten: hashOfSettings(WRITTEN),
};

let project: TestProject;

beforeAll(async () => {
  project = await TestProject.create();
});

afterAll(() => project?.remove());

function settingsFile(): string {
  return join(project.directory, `Pulumi.${project.stack}.yaml`);
}

/** As a promotion leaves the stack that is killed after it has written its settings. */
async function interrupt(journal: Journal = JOURNAL, written = WRITTEN): Promise<void> {
  const salt = (await readFile(settingsFile(), "utf8")).match(/^encryptionsalt:.*\n/m)?.[0] ?? "";
  const own = { ...journal, settings: salt + journal.settings };
  await writeFile(settingsFile(), salt + written);
  await writeJournal(project.directory, project.stack, {
    ...own,
    ...(journal.settingsWritten === undefined ? {} : { settingsWritten: hashOfSettings(salt + WRITTEN) }),
  });
}

function promote(...words: string[]): Promise<Ended> {
  return project.pgstack(["promote", "ci", project.stack, ...words]);
}

function isInterrupted(): boolean {
  return existsSync(journalPath(project.directory, project.stack));
}

describe("a promotion that was interrupted and not completed", () => {
  beforeAll(() => importState(project, { ...outputs({}, project.stack), promotion: null }));
  beforeEach(() => interrupt());

  test("every command of the stack says so, with both ways to end it", async () => {
    for (const words of [["status"], ["migrate", "status"], ["state", "list"]]) {
      const { stderr } = await project.pgstack(words);
      expect(stderr, words.join(" ")).toContain(
        `a promotion from ci to ${project.stack} was interrupted (begun ${AT}): npm start -- --stack ${project.stack} completes it; ./pgstack promote ci ${project.stack} --put-back takes it back\n`,
      );
    }
  });

  test("status has a line for it, and a field with the stack that it is from", async () => {
    const shown = await project.pgstack(["status"]);
    expect(shown.stdout).toMatch(
      new RegExp(
        `^promotion +a promotion from ci to ${project.stack} was interrupted .*--put-back takes it back$`,
        "m",
      ),
    );
    const { stdout } = await project.pgstack(["status", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ unfinishedPromotion: "ci" });
  });

  test("another promotion is refused, whatever it asks for, and takes nothing back", async () => {
    for (const words of [["--yes"], ["--dry-run"], []]) {
      const ended = await promote(...words);
      expect([ended.code, ended.stderr]).toEqual([
        ...[
          1,
          expect.stringMatching(/^pgstack: nothing was changed: a promotion from ci to .* was interrupted/),
        ],
      ]);
    }
    expect(await readFile(settingsFile(), "utf8")).toContain("citext");
    expect(isInterrupted()).toBe(true);
  });

  test("taking it back wants a yes, and restores the settings alone where no up has begun", async () => {
    const asked = await promote("--put-back");
    expect([asked.code, asked.stdout, asked.stderr]).toEqual([
      ...[2, expect.stringContaining("goes back to what it was"), expect.stringContaining("pass --yes")],
    ]);
    expect(isInterrupted()).toBe(true);
    const back = await promote("--put-back", "--yes");
    expect(back.code, back.output).toBe(0);
    expect(await readFile(settingsFile(), "utf8")).toContain(BEFORE);
    expect(await readFile(settingsFile(), "utf8")).not.toContain("citext");
    expect(isInterrupted()).toBe(false);
  });

  test("settings that were changed since are not overwritten; --forget ends it with everything as it is", async () => {
    await interrupt(JOURNAL, `${WRITTEN}  pgstack:maxConnections: 50\n`);
    const refused = await promote("--put-back", "--yes");
    expect([refused.code, refused.stderr]).toEqual([
      ...[1, expect.stringMatching(/is not put back: it was changed since .* --forget ends it/)],
    ]);
    expect(await readFile(settingsFile(), "utf8")).toContain("maxConnections");
    expect(isInterrupted()).toBe(true);
    const forgotten = await promote("--forget", "--yes");
    expect(forgotten.code, forgotten.output).toBe(0);
    expect(await readFile(settingsFile(), "utf8")).toContain("maxConnections");
    expect(isInterrupted()).toBe(false);
  });

  test("one of an earlier version of pgstack, which notes less, is not taken back over settings that it may not know", async () => {
    await interrupt({ from: "ci", commit: COMMIT, settings: BEFORE });
    const { code, stderr } = await promote("--put-back", "--yes");
    expect([code, stderr]).toEqual([1, expect.stringContaining("made by an earlier version of pgstack")]);
    expect(await readFile(settingsFile(), "utf8")).toContain("citext");
  });
});

describe("a promotion that was interrupted and completed by an up since", () => {
  test.each([
    ["the same record", JOURNAL, RECORD],
    ["one of an earlier version of pgstack", { from: "ci", commit: COMMIT, settings: BEFORE }, RECORD],
    ["a later promotion", JOURNAL, { from: "ci", commit: "feed", at: "2026-11-21T00:00:00.000Z" }],
  ])("is ended by the next command, which takes nothing back: %s", async (_, journal, record) => {
    await interrupt(journal, `${WRITTEN}  pgstack:maxConnections: 50\n`);
    await importState(project, { ...outputs({}, project.stack), promotion: record });
    const ended = await promote("--yes");
    expect(ended.stderr).toContain("was interrupted");
    expect(ended.stderr).toContain("an up has completed it since\n");
    expect(ended.stderr).not.toContain("Putting stack");
    expect(await readFile(settingsFile(), "utf8")).toContain("maxConnections");
    expect(isInterrupted()).toBe(false);
  });
});

describe("the lock of a stack", () => {
  let holder: ChildProcess;

  beforeAll(async () => {
    const lock = stackLockPath(project.directory, project.stack);
    holder = spawn(process.execPath, [LOCK_PROGRAM, lock, "hold"], { stdio: ["pipe", "pipe", "inherit"] });
    if (holder.stdout === null) throw new Error("no output");
    await once(holder.stdout, "data");
  });

  afterAll(async () => {
    holder?.stdin?.end();
    if (holder?.exitCode === null) await once(holder, "exit");
  });

  test.each([
    ["promote", ["promote", "ci", "STACK", "--yes"]],
    ["promote --put-back", ["promote", "ci", "STACK", "--put-back", "--yes"]],
    ["migrate up", ["migrate", "up"]],
    ["migrate down", ["migrate", "down", "--yes"]],
    ["restore", ["restore", "--latest", "--yes"]],
    ["restore --resume", ["restore", "--resume"]],
    ["restore-dump", ["restore-dump", "some", "--yes"]],
    ["rotate", ["rotate", "application"]],
    ["upgrade", ["upgrade", "--rehearse"]],
    ["shutdown", ["shutdown"]],
    ["start", ["start"]],
    ["restart", ["restart", "--no-backup"]],
    ["state restore", ["state", "restore", "--yes"]],
    ["state rebuild", ["state", "rebuild", "--yes"]],
  ])("%s is refused before anything while somebody changes the stack, and names who", async (_, words) => {
    const before = await readFile(settingsFile(), "utf8");
    const ended = await project.pgstack(words.map((word) => (word === "STACK" ? project.stack : word)));
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(
          `pgstack: nothing was changed: stack ${project.stack} is being changed by process ${holder.pid} on \\S+ since 2\\S+ for holding; wait until it has ended`,
        ),
      ),
    ]);
    expect(await readFile(settingsFile(), "utf8")).toBe(before);
  });

  test("plain pulumi up is refused as well", async () => {
    await project.configure({});
    const up = await project.up();
    expect(up.code).not.toBe(0);
    expect(up.output).toContain(`is being changed by process ${holder.pid} on`);
    expect(up.output).not.toMatch(/\d+ created/);
  });
});

describe("what became of an interrupted promotion", () => {
  const other = { from: "ci", commit: "0", at: "2026-11-01T00:00:00.000Z" };

  test.each([
    ["its own record", RECORD, WRITTEN, {}, "completed"],
    ["its own record, and settings changed since", RECORD, "config: {}\n", {}, "completed"],
    ["an earlier record and other settings", other, "config: {}\n", {}, "open"],
    ["no record and the settings from before", null, BEFORE, {}, "undone"],
    [
      "the settings from before, which say nothing of a schema that it brought",
      null,
      BEFORE,
      { schemaVersion: "0001" },
      "open",
    ],
  ] as const)("%s", (_, record, settings, more, outcome) => {
    expect(outcomeOf({ ...JOURNAL, ...more }, { record, settings })).toBe(outcome);
  });
});

describe("settings whose passphrase was changed halfway, and that were edited since", () => {
  const settings = (salt: string, key: string, more = "") =>
    `encryptionsalt: ${salt}\nconfig:\n  pgstack:backupKey:\n    secure: ${key}\n${more}`;

  test("get their former encryption back, and keep what was edited", () => {
    const kept = withFormerSecrets(
      settings("new", "old", "  pgstack:maxConnections: 50\n"),
      settings("old", "old"),
    );
    expect(kept).toBe(settings("old", "old", "  pgstack:maxConnections: 50\n"));
  });

  test("are the former text to the byte where nothing was edited", () => {
    const former = `# kept\n${settings("old", "old")}`;
    expect(withFormerSecrets(settings("new", "other"), former)).toBe(former);
  });

  test("do not get a secret back that was taken out since", () => {
    expect(withFormerSecrets("encryptionsalt: new\nconfig: {}\n", settings("old", "old"))).not.toContain(
      "secure",
    );
  });
});

describe("an upgrade that was interrupted when the new database had taken over", () => {
  test.each([
    ["switched", false, false, "new"],
    ["switched", false, true, "new"],
    ["switched", true, false, "old"],
    ["switched", true, true, "both"],
    ["going back", false, false, "new"],
    ["going back", true, false, "both"],
  ] as const)("%s, the old one open: %s, the new one: %s", (phase, old, fresh, used) => {
    expect(inUseAfter(phase, { old, new: fresh })).toBe(used);
  });
});

test("a journal reads back as it was written", async () => {
  await writeJournal(project.directory, "other", JOURNAL);
  expect(await readJournal(project.directory, "other")).toEqual(JOURNAL);
});
