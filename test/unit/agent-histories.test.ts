import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import { withHistories } from "../../agent/physical/histories.ts";

const CONTEXT = { signal: new AbortController().signal };

/** Reads from and pushes into an archive that is in plain folders, as pgBackRest does. */
const PGBACKREST = `#!/bin/sh
cd "\${0%/*}/repository"
for last; do :; done
case "$*" in
  *repo-get*) cat "$last" ;;
  *archive-push*) cp "$last" archive/main/16-1/ ;;
  *) echo '[{"archive":[{"id":"16-1","min":null,"max":null}],"backup":[],"db":[],"repo":[]}]' ;;
esac
`;

let folder: string;
let archive: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pgstack-histories-"));
  archive = join(folder, "repository/archive/main/16-1");
  await writeFile(join(folder, "pgbackrest"), PGBACKREST, { mode: 0o755 });
  await mkdir(archive, { recursive: true });
  await mkdir(join(folder, "state"));
  for (const timeline of [2, 3, 4]) await writeFile(history(timeline), `history of ${timeline}`);
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env["PATH"]}`);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const history = (timeline: number) => join(archive, `0000000${timeline}.history`);

const within = (before: number, work: () => Promise<unknown>) => {
  const configuration = {
    backupDirectory: folder,
    physical: {
      ...{ stanza: "main", configurationFile: "none", repositories: ["local"] },
      localDirectory: join(folder, "repository"),
    },
  } as unknown as AgentConfiguration;
  return withHistories(configuration, { repository: "local", before }, CONTEXT, work);
};

test("the histories of timelines before the boundary's are back when it is over, as they were", async () => {
  await within(4, async () => {
    for (const timeline of [2, 3]) await rm(history(timeline));
  });
  expect(await readdir(archive)).toEqual(["00000002.history", "00000003.history", "00000004.history"]);
  expect(await readFile(history(2), "utf8")).toBe("history of 2");
  expect(await readdir(join(folder, "state"))).toEqual([]);
});

test("what was cut off after it took them out is made up for by the next", async () => {
  const cutOff = within(4, async () => {
    for (const timeline of [2, 3]) await rm(history(timeline));
    throw new Error("cut off");
  });
  await expect(cutOff).rejects.toThrow("cut off");
  expect(await readdir(archive)).toEqual(["00000004.history"]);
  let seen: string[] = [];
  await within(2, async () => {
    seen = await readdir(archive);
  });
  expect(seen).toEqual(["00000002.history", "00000003.history", "00000004.history"]);
  expect(await readFile(history(3), "utf8")).toBe("history of 3");
});
