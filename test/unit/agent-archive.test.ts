import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import { ArchivedLog, type LogRange } from "../../agent/lineage/archived-log.ts";
import { type Chain, missingSegments } from "../../agent/lineage/chain.ts";
import { CheckedFolders } from "../../agent/physical/checked-folders.ts";
import { segmentName } from "../../agent/physical/segments.ts";

const CONTEXT = { signal: new AbortController().signal };
const ONE: Chain = [{ timeline: 1 }];
const FIRST = segmentName(1, 1);
const DAY = 24 * 3_600_000;

/** Lists an archive that is in plain folders, as pgBackRest does, and notes what it was asked for. */
const PGBACKREST = `#!/bin/sh
cd "\${0%/*}/repository"
case "$*" in
  *--recurse*)
    for path; do :; done
    echo "$path" >> ../asked
    cd "$path" && find . -type f | cut -c3- ;;
  *repo-ls*)
    for path; do :; done
    echo "$path" >> ../asked
    printf '{'
    comma=
    for name in $(ls "$path"); do printf '%s"%s":{"type":"file","time":1}' "$comma" "$name"; comma=,; done
    printf '}' ;;
  *) echo '[{"archive":[{"id":"16-1","min":null,"max":null}],"backup":[],"db":[],"repo":[]}]' ;;
esac
`;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pgstack-archive-"));
  await writeFile(join(folder, "pgbackrest"), PGBACKREST);
  await chmod(join(folder, "pgbackrest"), 0o755);
  await mkdir(join(folder, "repository/archive/main/16-1"), { recursive: true });
  await mkdir(join(folder, "state"));
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env["PATH"]}`);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const configuration = () =>
  ({
    backupDirectory: folder,
    physical: { stanza: "main", configurationFile: "none", repositories: ["local"] },
  }) as unknown as AgentConfiguration;

function pathOf(timeline: number, number: number): string {
  const name = segmentName(timeline, number);
  return join(folder, "repository/archive/main/16-1", name.slice(0, 16), `${name}-${"0".repeat(40)}.zst`);
}

async function archive(timeline: number, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; number += 1) {
    const path = pathOf(timeline, number);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, "");
  }
}

/** The folders that were looked into since the last call, by the end of their names. */
async function asked(): Promise<string[]> {
  const lines = (await readFile(join(folder, "asked"), "utf8")).trim().split("\n");
  await rm(join(folder, "asked"));
  return lines.filter((path) => /[0-9A-F]{16}$/.test(path)).map((path) => path.slice(-3));
}

const open = (range: LogRange) => ArchivedLog.open(configuration(), "local", range, CONTEXT);

/** Looks for gaps as status does. */
async function look(now: Date, chain = ONE): Promise<string[]> {
  const checked = await CheckedFolders.read(configuration(), "local", now);
  const log = await open({ chain, from: FIRST, known: checked.known });
  await checked.remember(log.root.id, log.whole, now);
  return missingSegments(log, chain, FIRST);
}

describe("the archive by range [L12]", () => {
  test("a gap is found wherever it is, also at the ends of its folders", async () => {
    await archive(1, 1, 600);
    expect(await look(new Date())).toEqual([]);
    for (const number of [1, 255, 256, 300, 599]) await rm(pathOf(1, number));
    const log = await open({ chain: ONE, from: FIRST });
    expect(missingSegments(log, ONE, FIRST)).toEqual([1, 255, 256, 300, 599].map((n) => segmentName(1, n)));
    expect([log.last(1), log.last(2), log.has(1, 600), log.has(1, 601)]).toEqual([600, -1, true, false]);
  });

  test("a segment of which a restore has cut off the rest is none, listed by folder or all together", async () => {
    for (const folders of [1, 20]) {
      for (let number = 0; number < folders; number += 1)
        await archive(1, number * 256 + 1, number * 256 + 2);
      const path = pathOf(1, 2);
      await rename(path, path.replace(segmentName(1, 2), `${segmentName(1, 2)}.partial`));
      const log = await open({ chain: ONE, from: FIRST });
      expect([log.has(1, 1), log.has(1, 2), log.last(1)]).toEqual([
        ...[true, false],
        folders === 1 ? 1 : 256 * 19 + 2,
      ]);
      expect(missingSegments(log, ONE, FIRST).slice(0, 1)).toEqual(folders === 1 ? [] : [segmentName(1, 2)]);
    }
  });

  test("what was seen to be whole is not looked into again for a day, then one folder at a time", async () => {
    await archive(1, 0, 1_030);
    const start = new Date();
    expect(await look(start)).toEqual([]);
    expect(await asked()).toEqual(["000", "001", "002", "003", "004"]);
    await look(start);
    expect(await asked()).toEqual(["004"]);
    await rm(pathOf(1, 300));
    const later = (days: number) => new Date(start.getTime() + days * DAY + 1);
    await look(later(1));
    expect(await asked()).toEqual(["000", "004"]);
    expect(await look(later(1))).toEqual([segmentName(1, 300)]);
    expect(await asked()).toEqual(["001", "004"]);
    expect(await look(later(1))).toEqual([segmentName(1, 300)]);
    expect(await asked()).toEqual(["001", "002", "004"]);
  });

  test("nothing is remembered of another cluster's archive, nor by a folder that cannot be written", async () => {
    await archive(1, 0, 300);
    await writeFile(
      join(folder, "state/archive-local.json"),
      JSON.stringify({ id: "16-0", folders: { "0000000100000000": new Date().toISOString() } }),
    );
    await rm(pathOf(1, 100));
    expect(await look(new Date())).toEqual([segmentName(1, 100)]);
    await writeFile(join(folder, "state/archive-local.json"), "torn");
    expect(await look(new Date())).toEqual([segmentName(1, 100)]);
  });

  test("an archive of many folders that nobody has looked at is listed at once", async () => {
    const folders = 20;
    for (let number = 0; number < folders; number += 1)
      await archive(1, number * 256 + 100, number * 256 + 102);
    const log = await open({ chain: ONE, from: FIRST });
    expect(await asked()).toEqual([]);
    expect([log.last(1), log.has(1, 101), log.has(1, 103), log.has(1, 256 * 19 + 100)]).toEqual([
      256 * 19 + 102,
      ...[true, false, true],
    ]);
  });

  test("the local repository is listed without a process, by id without any, and to the same end", async () => {
    await archive(1, 0, 700);
    for (const number of [3, 512]) await rm(pathOf(1, number));
    await writeFile(pathOf(1, 3).replace(/-(?=0{40})/, ".partial-"), "");
    const direct = {
      ...configuration(),
      physical: { ...configuration().physical, localDirectory: join(folder, "repository") },
    };
    const range = { chain: ONE, from: FIRST };
    const by = async (of: AgentConfiguration, more: Partial<LogRange> = {}) => {
      const log = await ArchivedLog.open(of, "local", { ...range, ...more }, CONTEXT);
      return {
        missing: missingSegments(log, ONE, FIRST),
        last: log.last(1),
        root: log.root,
        whole: log.whole,
      };
    };
    const found = await by(configuration());
    expect(found).toMatchObject({ missing: [3, 512].map((n) => segmentName(1, n)), last: 700 });
    await asked();
    expect(await by(direct)).toEqual(found);
    vi.stubEnv("PATH", "");
    expect(await by(direct, { id: "16-1" })).toEqual(found);
    expect(await by(direct, { id: "16-2" })).toMatchObject({ missing: [], last: -1 });
  });

  test("whole folders are passed over, and each other segment is asked for", () => {
    const asked: number[] = [];
    const there = {
      has: (_: number, number: number) => asked.push(number) > 0 && number !== 600,
      last: () => 1_000,
      through: (_: number, number: number) => (number >= 256 && number < 512 ? 511 : undefined),
    };
    expect(missingSegments(there, ONE, segmentName(1, 250))).toEqual([segmentName(1, 600)]);
    expect(asked.filter((number) => number < 520)).toEqual([
      250, 251, 252, 253, 254, 255, 512, 513, 514, 515, 516, 517, 518, 519,
    ]);
  });

  test("only what lies on the way of the timelines is looked into", async () => {
    await archive(1, 0, 1_000);
    await archive(2, 300, 1_000);
    await archive(3, 600, 700);
    const chain: Chain = [{ timeline: 1, until: "1/2C000100" }, { timeline: 2 }];
    const log = await open({ chain, from: segmentName(1, 290) });
    expect((await readFile(join(folder, "asked"), "utf8")).match(/0000000[123]0000000./g)).toEqual([
      "0000000100000001",
      "0000000200000001",
      "0000000200000002",
      "0000000200000003",
    ]);
    expect(missingSegments(log, chain, segmentName(1, 290))).toEqual([]);
    expect(log.last(2)).toBe(1_000);
  });
});
