import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DrillResult } from "../agent/drill.ts";
import type { BackupEntry } from "../agent/entry.ts";
import { agentContainer, callAgent } from "../operations/agent.ts";
import { untilFirstBackup } from "../test/support/first-backup.ts";
import { TestProject } from "../test/support/project.ts";
import { lostAfterKill } from "./kill.ts";
import { FILL, fillDatabase, ROOMY, shell } from "./pgbench.ts";
import { median, secondsOf, spread } from "./stopwatch.ts";

const PAIRS = 3;
const JOBS = 2;

const project = await TestProject.create(ROOMY);
const agent = { ...project.target, container: agentContainer(project.target.container) };
const lines: string[] = [];
const rto: number[] = [];
try {
  const up = await project.up();
  if (up.code !== 0) throw new Error(up.output);
  await untilFirstBackup(project.target);
  progress("pgbench fills the database");
  const size = await fillDatabase(project.target);
  lines.push(
    `pgbench database of ${size}, ${PAIRS} pairs in turn, ${JOBS} processes each`,
    "seconds: least, middle, greatest; ratio of each pair, middle",
    "",
    `${"".padEnd(26)} ${"this stack".padEnd(24)} ${"the tool alone".padEnd(24)} ratio`,
  );
  await measureDump();
  await measurePhysical();
  await measureBaseBackup();
  await measureRest();
} finally {
  await project.remove();
}
const text = lines.join("\n");
console.log(text);
const output = join(import.meta.dirname, "output");
await mkdir(output, { recursive: true });
await writeFile(join(output, "backup.txt"), `${text}\n`);

/** `pg_dump` in parallel into a folder, as the backup does it; the backup reads it back and hashes it besides. */
async function measureDump(): Promise<void> {
  const pairs = await inPairs(
    "dump",
    () => backup("logical"),
    () =>
      inAgent(
        `rm -rf /scratch/raw && pg_dump -h /var/run/postgresql -U postgres -Fd -j ${JOBS} --compress=gzip:1 -f /scratch/raw app`,
      ),
  );
  report("dump", pairs);
}

async function measurePhysical(): Promise<void> {
  const bare = "pgbackrest --config=/etc/pgstack/pgbackrest.conf --stanza=main --repo1-path=/scratch/bare";
  await inAgent(`mkdir -p /scratch/bare && ${bare} --no-online stanza-create`);
  const pgbackrest = await inPairs(
    "physical backup",
    () => backup("full"),
    () => inAgent(`${bare} --type=full --no-archive-check --no-expire-auto backup`),
  );
  report("full backup, pgBackRest", pgbackrest);
  const restored = await inPairs(
    "restore to the first query",
    async () => {
      const { rtoSeconds = Number.NaN } = await callAgent<DrillResult>(project.target, "drill");
      rto.push(rtoSeconds);
    },
    () =>
      inAgent(
        `rm -rf /scratch/files && mkdir -m 700 /scratch/files && ${bare} --pg1-path=/scratch/files --no-delta --type=immediate restore`,
      ),
  );
  report("drill / files restored", restored);
}

/** `pg_basebackup` from a server of its own with the same tables, since the stack's lets nobody replicate; gzip is what every build has. */
async function measureBaseBackup(): Promise<void> {
  progress("pgbench fills the server of pg_basebackup");
  const server = "-h /scratch -p 5599 -U postgres";
  const settings = "-h '' -k /scratch -p 5599 -c max_wal_size=4GB -c shared_buffers=512MB";
  await inAgent("initdb --no-sync --data-checksums --auth=trust --username=postgres -D /scratch/plain");
  await inAgent(`pg_ctl -D /scratch/plain -w -l /scratch/plain.log -o "${settings}" start`);
  await inAgent(`createdb ${server} app && pgbench ${server} ${FILL} app`);
  await inAgent(`psql ${server} -c CHECKPOINT app`);
  const options = "--format=tar --compress=server-gzip:1 --checkpoint=fast --wal-method=fetch --no-sync";
  const pairs = await inPairs(
    "physical backup beside pg_basebackup",
    () => backup("full"),
    () => inAgent(`rm -rf /scratch/base && pg_basebackup ${server} -D /scratch/base ${options}`),
  );
  await inAgent("pg_ctl -D /scratch/plain -m immediate stop && rm -rf /scratch/base /scratch/plain");
  report("full backup, pg_basebackup", pairs);
}

async function measureRest(): Promise<void> {
  lines.push("");
  single("RTO, from nothing to the first query (drill)", median(rto));
  const [full] = await callAgent<BackupEntry[]>(project.target, "backup", { kind: "full", waitSeconds: 60 });
  single(
    "full verification of a physical backup (restored, every table and index checked)",
    await secondsOf(
      async () => void (await callAgent(project.target, "verify", { id: full?.id, deep: true })),
    ),
  );
  progress("the whole run: backup, stop, start, restore");
  single(
    "backup, stop, start, restore, new chain, up",
    await secondsOf(async () => {
      for (const command of [
        ["backup", "--kind", "incr"],
        ["shutdown"],
        ["start"],
        ["restore", "--latest", "--yes"],
      ]) {
        const ended = await project.pgstack(command);
        if (ended.code !== 0) throw new Error(`${command.join(" ")}: ${ended.output}`);
      }
    }),
  );
  const { acknowledged, lost } = await lostAfterKill(project);
  lines.push(`kill -9 of the server under load: ${acknowledged} commits acknowledged, ${lost} lost`);
  const { rpoSeconds } = await callAgent<DrillResult>(project.target, "drill");
  lines.push(
    `RPO when the host is lost: commits of ${(rpoSeconds ?? Number.NaN).toFixed(1)} s were not in the backup place yet`,
  );
}

async function inPairs(name: string, ours: () => Promise<unknown>, theirs: () => Promise<unknown>) {
  const times = { ours: [] as number[], theirs: [] as number[] };
  for (let pair = 1; pair <= PAIRS; pair += 1) {
    progress(`${name}: pair ${pair} of ${PAIRS}`);
    times.ours.push(await secondsOf(async () => void (await ours())));
    times.theirs.push(await secondsOf(async () => void (await theirs())));
  }
  return times;
}

function report(name: string, { ours, theirs }: { ours: number[]; theirs: number[] }): void {
  const ratio = median(ours.map((value, index) => value / (theirs[index] ?? Number.NaN))).toFixed(2);
  lines.push(`${name.padEnd(26)} ${spread(ours).padEnd(24)} ${spread(theirs).padEnd(24)} ${ratio}`);
}

function single(name: string, seconds: number): void {
  lines.push(`${seconds.toFixed(2).padStart(7)}  ${name}`);
}

function backup(kind: "logical" | "full"): Promise<unknown> {
  return callAgent(project.target, "backup", { kind, waitSeconds: 60 });
}

function inAgent(script: string): Promise<string> {
  return shell(agent, script);
}

function progress(step: string): void {
  console.error(step);
}
