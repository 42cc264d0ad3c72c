import type { BackupEntry } from "../../agent/entry.ts";
import { archiveBoundary, recordedBoundaries, withReach } from "../../agent/physical/archive-boundary.ts";
import { segmentName, segmentNumber } from "../../agent/physical/segments.ts";
import { planRetention } from "../../agent/retention.ts";
import { callAgent } from "../../operations/agent.ts";
import type { Target } from "../../operations/target.ts";
import { shell } from "../pgbench.ts";
import { agentOf } from "./containers.ts";

const DAYS = 365;
const DAY_MILLISECONDS = 86_400_000;
const FULL_DAYS = 7;
const RETENTION = { days: 7, weeks: 4, months: 6, pitrDays: 7 };
/** A segment a minute: the most that archiveTimeoutSeconds has archived which are not full. */
const SEGMENTS_A_DAY = 1_440;
const START = Date.UTC(2026, 0, 1, 2);

/** Files of a backup by its kind, in its repository or folder. */
type Files = Readonly<Record<"full" | "incremental" | "logical", number>>;

/**
 * Files that a year of daily backups leaves in the backup folder with the default settings: retention and window are the
 * agent's own, the files of a backup are counted on a real one, the days are numbers.
 */
export async function simulateYear(target: Target): Promise<string[]> {
  const files = await countFiles(target);
  const found = run(files, SEGMENTS_A_DAY);
  return [
    `a year of daily backups with a segment archived each minute, simulated: ${found.files} files at the end, ${found.most} at most (aim: under 20,000); of ${DAYS * SEGMENTS_A_DAY} segments ${found.segments} stay`,
    `  a backup has ${files.full} files when full, ${files.incremental} when incremental, ${files.logical} as a dump`,
  ];
}

function run(files: Files, segmentsADay: number): { files: number; most: number; segments: number } {
  let entries: BackupEntry[] = [];
  let ranges: (readonly [number, number])[] = [];
  let full = "";
  let most = 0;
  let segments = 0;
  let all = 0;
  for (let day = 0; day < DAYS; day += 1) {
    const now = new Date(START + day * DAY_MILLISECONDS);
    const first = 1 + day * segmentsADay;
    ranges.push([first, first + segmentsADay - 1]);
    const stamp = `${now.toISOString().slice(0, 10).replaceAll("-", "")}-020000`;
    const isFull = day % FULL_DAYS === 0;
    if (isFull) full = `${stamp}F`;
    const id = isFull ? full : `${full}_${stamp}I`;
    entries.push(
      entry(now, { id, kind: isFull ? "full" : "incremental", ...(isFull ? {} : { prior: full }), first }),
    );
    entries.push(entry(now, { id: `dump-${stamp}`, kind: "logical" }));
    entries = planRetention(entries, RETENTION, now).flatMap((fate) => (fate.kept ? [fate.entry] : []));
    const physical = entries.filter(({ kind }) => kind !== "logical");
    const boundary = archiveBoundary(physical, { pitrDays: RETENTION.pitrDays, now });
    const noted = new Set(boundary?.backups.map((backup) => backup.id));
    entries = entries.map((one) => (noted.has(one.id) ? { ...one, logFrom: one.startWal ?? "" } : one));
    const boundaries = recordedBoundaries(entries);
    entries = entries.map((one) => withReach(one, boundaries));
    const [oldest] = boundary?.backups ?? [];
    if (oldest !== undefined) ranges = keptRanges(ranges, entries, oldest);
    segments = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
    all = segments + entries.reduce((sum, { kind }) => sum + filesOf(files, kind), 0);
    most = Math.max(most, all);
  }
  return { files: all, most, segments };
}

/** As pgBackRest's archive retention: all from the boundary on, and of older backups their own log. */
function keptRanges(
  ranges: readonly (readonly [number, number])[],
  entries: readonly BackupEntry[],
  boundary: BackupEntry,
): (readonly [number, number])[] {
  const from = segmentNumber(boundary.startWal ?? "");
  const wanted = entries
    .filter(({ ownEndOnly }) => ownEndOnly === true)
    .map(({ startWal = "", stopWal = "" }) => [segmentNumber(startWal), segmentNumber(stopWal)] as const);
  return [...wanted, [from, Number.POSITIVE_INFINITY] as const].flatMap(([begin, end]) =>
    ranges.flatMap(([first, last]) => {
      const [low, high] = [Math.max(begin, first), Math.min(end, last)];
      return low <= high ? [[low, high] as const] : [];
    }),
  );
}

function entry(
  now: Date,
  { first, ...more }: Pick<BackupEntry, "id" | "kind" | "prior"> & { readonly first?: number },
): BackupEntry {
  const at = now.toISOString();
  return {
    ...{ startedAt: at, finishedAt: at, bytes: 1, serverVersion: "16", systemIdentifier: "1" },
    ...{ repositories: ["local"], encrypted: false, archiveId: "16-1" },
    ...(first === undefined ? {} : { startWal: segmentName(1, first), stopWal: segmentName(1, first + 1) }),
    verification: { form: "read back", at, result: "ok" },
    ...more,
  };
}

function filesOf(files: Files, kind: BackupEntry["kind"]): number {
  return kind === "full" || kind === "logical" ? files[kind] : files.incremental;
}

async function countFiles(target: Target): Promise<Files> {
  const agent = agentOf(target);
  const count = async (kind: "full" | "incremental" | "logical", folder: string) => {
    const [taken] = await callAgent<BackupEntry[]>(target, "backup", { kind, waitSeconds: 60 });
    return Number(await shell(agent, `find ${folder}/${taken?.id} -type f | wc -l`));
  };
  const physical = "/backups/pgbackrest/backup/main";
  return {
    full: await count("full", physical),
    incremental: await count("incremental", physical),
    logical: await count("logical", "/backups/logical"),
  };
}
