import { readFile, writeFile } from "node:fs/promises";
import type { FakePrograms } from "./fake-programs.ts";

/** A physical backup as pgBackRest tells of it. */
export interface FakeBackup {
  readonly label: string;
  /** Number of the repository, from 1 on. */
  readonly repository: number;
  readonly finishedAt: string;
  readonly prior?: string;
  readonly startWal?: string;
}

const PROGRAM = `
const file = folder + "/info.json";
const [stanza] = JSON.parse(fs.readFileSync(file, "utf8"));
const option = (name) => words.find((word) => word.startsWith("--" + name + "="))?.split("=")[1];
if (words.includes("info")) process.stdout.write(JSON.stringify([stanza]));
else if (words.includes("expire")) {
  stanza.backup = stanza.backup.filter(
    ({ label, database }) => label !== option("set") || String(database["repo-key"]) !== option("repo"));
  fs.writeFileSync(file, JSON.stringify([stanza]));
} else if (words.includes("annotate")) {
  const [name, value] = words.find((word) => word.startsWith("--annotation=")).split("=").slice(1);
  for (const { label, database, annotation } of stanza.backup)
    if (label === option("set") && String(database["repo-key"]) === option("repo")) annotation[name] = value;
  fs.writeFileSync(file, JSON.stringify([stanza]));
} else process.exit(1);
`;

/** A pgBackRest that knows these backups, and lets them go. */
export async function addPgbackrest(
  programs: FakePrograms,
  repositories: number,
  backups: readonly FakeBackup[],
): Promise<void> {
  await programs.add("pgbackrest", PROGRAM);
  const keys = Array.from({ length: repositories }, (_, index) => index + 1);
  const stanza = {
    archive: [],
    db: keys.map((key) => ({ id: 1, "repo-key": key, "system-id": 7, version: "16" })),
    repo: keys.map((key) => ({ key, cipher: "none", status: { code: 0, message: "ok" } })),
    backup: backups.map(infoOf),
  };
  await writeFile(programs.path("pgbackrest", "info.json"), JSON.stringify([stanza]));
}

function infoOf({ label, repository, finishedAt, prior, startWal = "000000010000000000000001" }: FakeBackup) {
  const seconds = Date.parse(finishedAt) / 1_000;
  return {
    ...{ label, type: prior === undefined ? "full" : "incr", prior: prior ?? null, error: false },
    timestamp: { start: seconds - 60, stop: seconds },
    lsn: { start: "0/1000028", stop: "0/1000100" },
    archive: { start: startWal, stop: startWal },
    database: { id: 1, "repo-key": repository },
    info: { size: 2, repository: { delta: 1 } },
    annotation: { "system-identifier": "7" },
  };
}

/** The physical backups that are left: repository and label. */
export async function backupsLeft(programs: FakePrograms): Promise<string[]> {
  const [stanza] = JSON.parse(await readFile(programs.path("pgbackrest", "info.json"), "utf8")) as {
    backup: { label: string; database: { "repo-key": number } }[];
  }[];
  return (stanza?.backup ?? []).map(({ label, database }) => `${database["repo-key"]} ${label}`);
}
