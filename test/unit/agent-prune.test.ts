import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import type { BackupEntry } from "../../agent/entry.ts";
import { readBackups, writeMetadata } from "../../agent/metadata.ts";
import { prune } from "../../agent/prune.ts";
import { backupEntry } from "../support/backup-entry.ts";
import { addPgbackrest, backupsLeft } from "../support/fake-pgbackrest.ts";
import { FakePrograms } from "../support/fake-programs.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const CONTEXT = { signal: new AbortController().signal, step: () => {} };
const DAY = 24 * 3_600_000;

let programs: FakePrograms;
let backupDirectory: string;

beforeEach(async () => {
  backupDirectory = await temporaryFolder();
  programs = await FakePrograms.empty();
  await addPgbackrest(programs, 2, [
    { label: "OLD", repository: 1, finishedAt: ago(30) },
    { label: "OLD_I", repository: 1, finishedAt: ago(29), prior: "OLD" },
    { label: "OLD", repository: 2, finishedAt: ago(30), startWal: "000000010000000000000009" },
    { label: "NEW", repository: 1, finishedAt: ago(2), startWal: "000000010000000000000009" },
    { label: "NEW_I", repository: 1, finishedAt: ago(1), prior: "NEW", startWal: "00000001000000000000000A" },
  ]);
  for (const days of [30, 20, 1]) await dump(days);
});

function ago(days: number): string {
  return new Date(Date.now() - days * DAY - 60_000).toISOString();
}

async function dump(days: number): Promise<void> {
  const folder = join(backupDirectory, "logical", `dump-${days}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "database.dump"), "content");
  const entry = backupEntry(ago(days), { id: `dump-${days}` });
  await writeFile(join(folder, "backup.json"), JSON.stringify({ format: 1, entry, files: [], tables: [] }));
}

async function received(name: string): Promise<string> {
  const folder = join(backupDirectory, "stream", "7");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), "log");
  return join(folder, name);
}

const configuration = () =>
  ({
    backupDirectory,
    physical: {
      stanza: "main",
      configurationFile: "none",
      repositories: ["local", "s3"],
      queueDirectory: join(backupDirectory, "queue"),
    },
    retention: { days: 1, weeks: 0, months: 0, pitrDays: 0 },
  }) as unknown as AgentConfiguration;

async function goneAfter(dryRun: boolean): Promise<string[]> {
  const fates = await prune(configuration(), { dryRun }, CONTEXT);
  return fates.filter(({ kept }) => !kept).map(({ entry }) => entry.id);
}

describe("backups that retention lets go [L4]", () => {
  test("are removed, dumps and physical ones, each from its own repository; what is kept stays", async () => {
    const first = await received("000000010000000000000008");
    const needed = await received("000000010000000000000009");
    expect((await goneAfter(false)).toSorted()).toEqual(["OLD", "OLD_I", "dump-20", "dump-30"]);
    expect(await readdir(join(backupDirectory, "logical"))).toEqual(["dump-1"]);
    expect((await readdir(backupDirectory)).filter((name) => name.startsWith("."))).toEqual([]);
    // The other repository has no newer one.
    expect(await backupsLeft(programs)).toEqual(["2 OLD", "1 NEW", "1 NEW_I"]);
    const metadata = JSON.parse(await readFile(join(backupDirectory, "metadata.json"), "utf8")) as {
      backups: { id: string }[];
    };
    expect(metadata.backups.map(({ id }) => id).toSorted()).toEqual(["NEW", "NEW_I", "OLD", "dump-1"]);
    expect([existsSync(first), existsSync(needed)]).toEqual([false, true]);
    expect(await goneAfter(false)).toEqual([]);
  });

  test("are told by a dry run, and stay", async () => {
    expect((await goneAfter(true)).toSorted()).toEqual(["OLD", "OLD_I", "dump-20", "dump-30"]);
    expect((await readdir(join(backupDirectory, "logical"))).toSorted()).toEqual([
      "dump-1",
      "dump-20",
      "dump-30",
    ]);
    expect(await backupsLeft(programs)).toHaveLength(5);
    expect((await programs.calls("pgbackrest")).filter((words) => words.includes("expire"))).toEqual([]);
  });
});

test("what a backup was found to be says nothing of its copy in another repository [L2]", async () => {
  const { entries } = await writeMetadata(configuration(), CONTEXT, ({ id, repositories: [repository] }) =>
    id === "OLD" && repository === "s3"
      ? { form: "restored", at: new Date().toISOString(), result: "failed", message: "torn" }
      : undefined,
  );
  const results = (all: readonly BackupEntry[]) =>
    all
      .filter(({ kind }) => kind !== "logical")
      .map(({ id, repositories, verification }) => `${repositories[0]} ${id} ${verification.result}`)
      .toSorted();
  const expected = ["local NEW ok", "local NEW_I ok", "local OLD ok", "local OLD_I ok", "s3 OLD failed"];
  expect(results(entries)).toEqual(expected);
  expect(results((await readBackups(configuration(), CONTEXT)).entries)).toEqual(expected);
});
