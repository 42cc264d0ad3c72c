import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import type { VerifyResult } from "../../agent/verify.ts";
import { callAgent } from "../../operations/agent.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { restoreInPlace } from "../../operations/restore.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import {
  agentStatus,
  archiveAll,
  backups,
  blockBackups,
  destroyDataDirectory,
  Ledger,
} from "../support/ledger.ts";
import { inAgent, pruneWithWindow } from "../support/narrow-window.ts";
import { LiveStack } from "../support/security/live-stack.ts";

// Each test is several restores, one after the other.
vi.setConfig({ testTimeout: 900_000 });

let stack: LiveStack;
let ledger: Ledger;
/** When the first restore's mistake had been made, on the timeline that it left. */
let afterMistake: string;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ backup: true });
  ledger = await Ledger.create(stack);
  await untilFirstBackup(stack.target);
});

afterAll(() => stack?.project.remove());

/** A restore to a moment that ends before its full backup is taken, as one that is killed right then. */
async function restoreWithoutFull(time: string): Promise<() => Promise<void>> {
  let release: (() => Promise<void>) | undefined;
  await restoreInPlace(
    stack.target,
    { type: "time", value: time },
    {
      confirm: async () => {
        // It waits for the restore to let go of the lock.
        release = blockBackups(stack);
        return true;
      },
      prove: async () => {},
    },
  );
  return async () => release?.();
}

async function take(kind: string): Promise<BackupEntry[]> {
  return callAgent<BackupEntry[]>(stack.target, "backup", { kind, waitSeconds: 120 });
}

/** Ids of the backups that a test has damaged, whatever was found of them since. */
const damaged = new Set<string>();

/** Changes what a stored backup holds, as a failing disk does. */
async function flipBytes({ id }: BackupEntry): Promise<void> {
  damaged.add(id);
  const { exitCode, stderr } = await executeInContainer(
    { ...stack.target, container: `${stack.target.container}-agent` },
    {
      command: [
        "sh",
        "-c",
        'for file in /backups/pgbackrest/backup/main/"$1"/bundle/*; do printf damaged | dd of="$file" bs=1 seek=5000 conv=notrunc status=none; done',
        "flip",
        id,
      ],
    },
  );
  expect(exitCode, stderr).toBe(0);
}

async function pgstack(...words: string[]): Promise<string> {
  const ended = await stack.project.pgstack(words);
  expect(ended.code, ended.output).toBe(0);
  return ended.output;
}

describe("a restore whose full backup is missing", () => {
  test("says that it is owed, and what is written after it is what the next recovery brings back", async () => {
    const right = await ledger.commit("right");
    afterMistake = await ledger.commit("mistake");
    await archiveAll(stack);
    const release = await restoreWithoutFull(right);
    expect(await ledger.entries()).toEqual(["right"]);
    const status = await agentStatus(stack);
    expect(status.lineage?.chain).toEqual([{ timeline: 1, until: expect.any(String) }, { timeline: 2 }]);
    expect(status.lineage?.owed?.by).toMatch(/^restore /);
    const health = await stack.project.pgstack(["health", "--full"]);
    expect(health.output).toMatch(
      /a full backup is owed since \S+ \(restore \S+\): pgstack restore --resume/,
    );
    await ledger.commit("after the restore");
    await archiveAll(stack);
    await destroyDataDirectory(stack);
    await release();
    const output = await pgstack("restore", "--latest", "--yes");
    expect(output).toMatch(/Restored \(/);
    expect(await ledger.entries()).toEqual(["right", "after the restore"]);
  });

  test("is followed by one on the timeline that the stack is on then, and nothing is owed", async () => {
    const status = await agentStatus(stack);
    expect(status.lineage?.owed).toBeUndefined();
    expect(status.lineage?.chain.map(({ timeline }) => timeline)).toEqual([1, 2, 3]);
    const newest = (await backups(stack)).at(-1);
    expect(newest).toMatchObject({ kind: "full", timeline: 3, label: "after restore" });
    expect((await callAgent<{ gaps: readonly unknown[] }>(stack.target, "archive")).gaps).toEqual([]);
    await callAgent(stack.target, "drill", { waitSeconds: 60 });
    expect((await agentStatus(stack)).drill).toMatchObject({ result: "ok", backup: newest?.id });
  });

  test("after two restores in a row without one, recovery follows both forks", async () => {
    const second = await ledger.commit("second");
    await ledger.commit("undone");
    const releaseFirst = await restoreWithoutFull(second);
    const third = await ledger.commit("third");
    await ledger.commit("undone as well");
    await releaseFirst();
    const releaseSecond = await restoreWithoutFull(third);
    await ledger.commit("fourth");
    await archiveAll(stack);
    await destroyDataDirectory(stack);
    await releaseSecond();
    await pgstack("restore", "--latest", "--yes");
    expect(await ledger.entries()).toEqual(["right", "after the restore", "second", "third", "fourth"]);
  });

  test("is taken by the agent itself, once nothing else is at work", async () => {
    const now = await ledger.commit("fifth");
    await ledger.commit("undone again");
    const release = await restoreWithoutFull(now);
    expect((await agentStatus(stack)).lineage?.owed).toBeDefined();
    await release();
    await expect
      .poll(async () => (await agentStatus(stack)).lineage?.owed, { timeout: 60_000, interval: 500 })
      .toBeUndefined();
    expect((await backups(stack)).at(-1)).toMatchObject({ kind: "full", label: "after restore" });
    expect(await pgstack("restore", "--resume")).toBe("No restore was interrupted.\n");
  });
});

describe("a backup that is damaged", () => {
  let full: BackupEntry;
  let incremental: BackupEntry;

  beforeAll(async () => {
    [full] = (await take("full")) as [BackupEntry];
    await ledger.commit("sixth");
    [incremental] = (await take("incremental")) as [BackupEntry];
    await flipBytes(full);
  });

  test("is passed over by recovery once verification has found it, with what rests on it, and a full one is owed", async () => {
    const ended = await stack.project.pgstack(["verify", full.id]);
    expect(ended.code).not.toBe(0);
    const found = await backups(stack);
    expect(found.find(({ id }) => id === full.id)?.verification.result).toBe("failed");
    expect(found.find(({ id }) => id === incremental.id)?.verification).toMatchObject({
      result: "failed",
      message: expect.stringMatching(`it rests on ${full.id}`),
    });
    const { base } = await callAgent<{ base: string }>(stack.target, "restore-plan", {
      target: { type: "latest" },
    });
    expect([full.id, incremental.id]).not.toContain(base);
    await expect
      .poll(async () => (await backups(stack)).at(-1), { timeout: 90_000, interval: 500 })
      .toMatchObject({ kind: "full", verification: { result: "ok" } });
  });

  test("is passed over also where nobody had looked: recovery takes the one before it, and says so", async () => {
    const [newest] = await take("full");
    if (newest === undefined) throw new Error("no backup was taken");
    await ledger.commit("seventh");
    await archiveAll(stack);
    await flipBytes(newest);
    await destroyDataDirectory(stack);
    const output = await pgstack("restore", "--latest", "--yes");
    expect(output).toMatch(
      new RegExp(`backup ${newest.id} cannot be restored: .*: trying the backup before it`),
    );
    expect((await ledger.entries()).slice(-2)).toEqual(["sixth", "seventh"]);
  });
});

describe("a timeline that a restore has left", () => {
  test("is recovered from by choice alone", async () => {
    const list = await pgstack("backups");
    expect(list).toMatch(/timeline 1, abandoned/);
    const refused = await stack.project.pgstack([
      "restore",
      "--time",
      afterMistake,
      "--timeline",
      "77",
      "--yes",
    ]);
    expect(refused.output).toMatch(/the archive has no timeline 77; it has 1, 2, 3/);
    await pgstack("restore", "--time", afterMistake, "--timeline", "1", "--yes");
    expect(await ledger.entries()).toEqual(["right", "mistake"]);
    expect((await agentStatus(stack)).lineage?.chain.map(({ timeline }) => timeline).at(0)).toBe(1);
  });
});

describe("a target that cannot be reached [F25]", () => {
  test.each([
    [["--time", "2101-01-01T00:00:00Z"], /is in the future/],
    [["--time", "2001-01-01T00:00:00Z"], /cannot be reached: possible is \S+ to \S+/],
    [["--time", "2026-03-01T14:30:00"], /with its zone/],
    [
      ["--xid", "4000000000"],
      /transaction 4000000000 cannot be reached: the server's next transaction is \d+/,
    ],
    [["--lsn", "0/10"], /cannot be reached: possible is/],
    [["--latest", "--timeline", "0"], /--timeline: expected an integer from 1/],
    [["19990101-000000F"], /there is no backup/],
  ])("%j is refused before anything is backed up", async (options, message) => {
    const before = await backups(stack);
    const ended = await stack.project.pgstack(["restore", ...options, "--yes"]);
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/pgbackrest restore failed/);
    expect(await backups(stack)).toEqual(before);
  });

  test("an unknown name, and a moment after the last commit of a timeline that was left, name what can be reached", async () => {
    for (const options of [
      ["--name", "never-set"],
      ["--time", new Date().toISOString(), "--timeline", "2"],
    ]) {
      const ended = await stack.project.pgstack(["restore", ...options, "--yes"]);
      expect(ended.code).not.toBe(0);
      expect(ended.stderr).toMatch(
        /cannot be reached: .*the latest that can be reached is .*; possible is \S+ to \S+/,
      );
    }
    expect(await callAgent(stack.target, "restore-journal")).toBeNull();
  });
});

describe("before the window of points in time [C1]", () => {
  test("each kept backup of each timeline stays whole, and a new timeline takes a number that none had", async () => {
    const { target } = stack;
    const histories = () =>
      inAgent(target, ["sh", "-c", "cd /backups/pgbackrest/archive/main/16-1 && cksum *.history"]);
    const [base] = await take("full");
    await archiveAll(stack);
    const before = await histories();
    const newest = (await agentStatus(stack)).lineage?.chain.at(-1)?.timeline ?? 0;
    expect(before.trim().split("\n")).toHaveLength(newest - 1);
    await pruneWithWindow(target, 0);
    expect(await histories()).toBe(before);
    const found = await backups(stack);
    expect(found.findLast(({ kind }) => kind === "full")).toMatchObject({ id: base?.id, timeline: newest });
    const older = found.filter((entry) => entry.ownEndOnly === true && entry.verification.result === "ok");
    expect(new Set(older.map(({ timeline }) => timeline)).size).toBeGreaterThan(2);
    for (const { id } of older.filter((entry) => !damaged.has(entry.id))) {
      const [result] = await callAgent<VerifyResult[]>(target, "verify", { id, deep: true, waitSeconds: 60 });
      expect(result?.problems, id).toEqual([]);
    }
    expect((await callAgent<{ gaps: readonly unknown[] }>(target, "archive")).gaps).toEqual([]);
    const refused = await stack.project.pgstack([
      "restore",
      "--time",
      afterMistake,
      "--timeline",
      "1",
      "--yes",
    ]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(
      /; from before that, backups as of their own end: |no log follows a good backup any more/,
    );
    await pgstack("restore", older[0]?.id ?? "", "--yes");
    const { lineage } = await agentStatus(stack);
    expect(lineage?.chain.at(-1)?.timeline).toBe(newest + 1);
  });
});
