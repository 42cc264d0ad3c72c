import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import { Archiver, CONFIRMED_PREFIX, withoutArchiver } from "../../agent/physical/archiver.ts";
import { writeJournal } from "../../agent/restore/swap.ts";
import { renderArchiveScript } from "../../operations/archive-script.ts";
import { SOCKET_DIRECTORY } from "../../operations/container-directories.ts";

const [FIRST, SECOND] = ["000000010000000000000001", "000000010000000000000002"] as const;
const JOURNAL = { format: 1, id: "one", startedAt: "2026-03-01T00:00:00Z", target: "now" } as const;
const NEVER = { signal: new AbortController().signal };

let root: string;
let configuration: AgentConfiguration;
let archiver: Archiver;
/** Called by the stand-in of pgBackRest with its arguments, a line each. */
let calls: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "archiver-"));
  calls = join(root, "calls");
  const [bin, data, socket, backups] = ["bin", "data", "socket", "backups"].map((name) => join(root, name));
  for (const folder of [bin, join(data ?? "", "pg_wal", "archive_status"), socket, backups])
    await mkdir(folder ?? "", { recursive: true });
  await program('echo "$*" >>"$CALLS"');
  vi.stubEnv("CALLS", calls);
  vi.stubEnv("PATH", `${bin}${delimiter}${process.env.PATH}`);
  configuration = {
    ...{ format: 1, stack: "shop", database: "app", port: 5432, jobs: 1 },
    ...{ socketDirectory: socket, dataDirectory: data, backupDirectory: backups, scratchDirectory: root },
    logical: { encrypted: false, keyFile: "" },
    physical: {
      ...{ stanza: "main", configurationFile: join(root, "pgbackrest.conf"), repositories: ["local"] },
      ...{ queueDirectory: join(backups ?? "", "archive-queue"), fullDays: 7 },
    },
  } as unknown as AgentConfiguration;
});

beforeEach(() => {
  archiver = new Archiver(configuration, (name, mark) => writeFile(confirmation(name), `${mark}\n`));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

async function program(script: string): Promise<void> {
  const path = join(root, "bin", "pgbackrest");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

async function complete(...names: string[]): Promise<void> {
  for (const name of names) {
    await writeFile(join(configuration.dataDirectory, "pg_wal", name), name);
    await writeFile(join(configuration.dataDirectory, "pg_wal", "archive_status", `${name}.ready`), "");
  }
}

const pushed = async () =>
  (await readFile(calls, "utf8").catch(() => ""))
    .split("\n")
    .filter((line) => line.includes("archive-push"))
    .map((line) => line.slice(line.lastIndexOf("/") + 1));
const confirmed = () => readdir(configuration.socketDirectory).then((names) => names.sort());
const confirmation = (name: string) => join(configuration.socketDirectory, `${CONFIRMED_PREFIX}${name}`);

/** What the server's command says, by its exit code. */
async function handOver(name: string, status = "ready"): Promise<number> {
  const folder = configuration.dataDirectory;
  await writeFile(join(folder, "postmaster.pid"), `1\n\n\n\n\n\n\n${status}\n`);
  const script = renderArchiveScript({ max_slot_wal_keep_size: "48MB" })
    .replaceAll(SOCKET_DIRECTORY, configuration.socketDirectory)
    .replace("tenths=100", "tenths=3");
  return promisify(execFile)("sh", ["-c", script, "handover", name], { cwd: folder }).then(
    () => 0,
    (error: { code: number }) => error.code,
  );
}

describe("S7 L6 the archive is the agent's", () => {
  test("L6 a history comes first, then the oldest; each is archived once and confirmed", async () => {
    await complete(SECOND, FIRST, "00000002.history");
    await archiver.look(NEVER);
    await archiver.look(NEVER);
    expect(await pushed()).toEqual(["00000002.history", FIRST, SECOND]);
    expect(await confirmed()).toHaveLength(3);
    for (const name of ["00000002.history", FIRST, SECOND]) expect(await handOver(name)).toBe(0);
    expect(await confirmed()).toEqual([]);
  });

  test("L6 what the archive does not take is not confirmed, and what follows waits", async () => {
    await complete(FIRST, SECOND);
    await program('case "$*" in *1) exit 1;; esac');
    await expect(archiver.look(NEVER)).rejects.toThrow("archive-push");
    expect(await confirmed()).toEqual([]);
    expect(await handOver(FIRST)).toBe(1);
  });

  test("L6 a confirmation is none for another cluster's file of the same name", async () => {
    await complete(FIRST);
    await archiver.look(NEVER);
    const text = await readFile(confirmation(FIRST), "utf8");
    await writeFile(confirmation(FIRST), text.replace(/^\d+/, "1"));
    expect(await handOver(FIRST)).toBe(1);
    await archiver.look(NEVER);
    expect(await pushed()).toEqual([FIRST]);
    await rm(join(configuration.dataDirectory, "pg_wal", "archive_status", `${FIRST}.ready`));
    await archiver.look(NEVER);
    await complete(FIRST);
    await archiver.look(NEVER);
    expect(await pushed()).toEqual([FIRST, FIRST]);
    expect(await handOver(FIRST)).toBe(0);
  });

  test("L7 nothing is archived while two clusters change places, nor when that was cut off", async () => {
    await complete(FIRST);
    await withoutArchiver(configuration, NEVER, () => archiver.look(NEVER));
    await writeJournal(configuration, { ...JOURNAL, phase: "swapping" });
    await archiver.look(NEVER);
    expect(await pushed()).toEqual([]);
    await writeJournal(configuration, { ...JOURNAL, phase: "swapped" });
    await archiver.look(NEVER);
    expect(await pushed()).toEqual([FIRST]);
  });

  test("S7 what the server puts in the place of a segment is not followed out of its folder", async () => {
    await complete(FIRST);
    const path = join(configuration.dataDirectory, "pg_wal", FIRST);
    await rm(path);
    await symlink(configuration.physical.configurationFile, path);
    await expect(archiver.look(NEVER)).rejects.toThrow(`${FIRST} is no file`);
    expect(await pushed()).toEqual([]);
  });

  test("S7 a name that no file of the log has is nothing to be archived", async () => {
    await complete(`${FIRST}'; DROP DATABASE app; --`, "\\! id");
    await archiver.look(NEVER);
    expect(await pushed()).toEqual([]);
    expect(await confirmed()).toEqual([]);
  });

  test("F8 more than the server keeps for whoever is away is given up, the oldest first", async () => {
    const segments = [1, 2, 3, 4].map((number) => `00000001000000000000000${number}`);
    await complete(...segments.slice(1));
    expect(await handOver(SECOND)).toBe(1);
    await complete(FIRST);
    expect(await handOver(FIRST)).toBe(0);
  });

  test("F8 a server that stops does not wait for an agent that is not there", async () => {
    await complete(FIRST);
    expect(await handOver(FIRST, "stopping")).toBe(255);
  });
});
