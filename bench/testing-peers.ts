import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isInMemory } from "../operations/cluster-identity.ts";
import { DATA_MOUNT } from "../operations/data-directory.ts";
import { dockerEngine, findVolume } from "../operations/docker.ts";
import { MIGRATION_FOLDER, migrate } from "../operations/migrations.ts";
import type { LiveStack } from "../test/support/security/live-stack.ts";
import { shell } from "./pgbench.ts";
import { millisecondsOf, report, untilAnswered } from "./testing-report.ts";

/** Rounds of what is measured without a ready copy. */
export const PEER_ROUNDS = 10;
const SLOW_PEER_ROUNDS = 3;
const DUMP = `${DATA_MOUNT}/peer.dump`;
const PLAIN = `${DATA_MOUNT}/peer.sql`;
const BYTES = `${DATA_MOUNT}/peer.bytes`;

/**
 * Has as many bytes as the stack's database written to the same place, and removed, where that is in memory. A virtual machine may
 * give free memory back to its host within seconds; having it again takes longer than any copy, and this takes that out of the
 * figures beside it.
 */
export async function holdMemory(stack: LiveStack): Promise<void> {
  const volume = await findVolume(dockerEngine(), stack.outputs.deployed.dataVolume);
  if (volume !== undefined && isInMemory(volume)) await writeAsMuch(stack);
}

/** @returns Milliseconds that it takes to write as many bytes as the stack's database has. */
async function writeAsMuch(stack: LiveStack): Promise<number> {
  const bytes = await stack.value("pg_database_size(current_database())");
  const nanoseconds = await shell(
    stack.target,
    `before=$(date +%s%N); head -c ${bytes} /dev/zero > ${BYTES}; echo $(( $(date +%s%N) - before )); rm ${BYTES}`,
  );
  return Number(nanoseconds) / 1_000_000;
}

/**
 * Measures what else there is to have a snapshot's data in a database, beside the pool.
 *
 * @param name Of the snapshot, which the stack's database is at.
 * @param bulk SQL that makes what the snapshot has beside the standard one's; empty for that one.
 */
export async function measurePeers(stack: LiveStack, name: string, bulk: string): Promise<void> {
  const template = await stack.value(
    `(SELECT datname FROM pg_database WHERE datname LIKE 'pgstack\\_template%' AND shobj_description(oid, 'pg_database') LIKE '%"${name}"%' LIMIT 1)`,
  );
  const administrator = await stack.session("administrator", { database: "postgres" });
  for (const strategy of ["file_copy", "wal_log"]) {
    const times: number[] = [];
    for (let round = 0; round < PEER_ROUNDS; round += 1) {
      await holdMemory(stack);
      times.push(
        await untilAnswered(async () => {
          await administrator.query(`CREATE DATABASE peer TEMPLATE ${template} STRATEGY ${strategy}`);
          return await stack.session("administrator", { database: "peer" });
        }),
      );
      await administrator.query("DROP DATABASE peer");
    }
    report(`CREATE DATABASE … TEMPLATE … STRATEGY ${strategy} alone`, times);
  }
  const written: number[] = [];
  for (let round = 0; round < PEER_ROUNDS; round += 1) written.push(await writeAsMuch(stack));
  report("as much written to the same place alone", written);
  await administrator.end();
  await measureMigration(stack, bulk);
  const { target } = stack;
  await shell(target, `pg_dump -Fc --compress=1 -f ${DUMP} app && pg_dump -f ${PLAIN} app`);
  const restores: Record<string, string> = {
    "psql -f": `createdb peer && psql -q -v ON_ERROR_STOP=1 -f ${PLAIN} peer >/dev/null`,
    pg_restore: `createdb peer && pg_restore -d peer ${DUMP}`,
  };
  for (const [tool, script] of Object.entries(restores)) {
    const times: number[] = [];
    for (let round = 0; round < SLOW_PEER_ROUNDS; round += 1) {
      times.push(await millisecondsOf(async () => void (await shell(target, script))));
      await shell(target, "dropdb peer");
    }
    report(`${tool} alone`, times);
  }
  await shell(target, `rm -f ${DUMP} ${PLAIN}`);
}

/** A migration run on an empty database: what a suite without templates does before each test. */
async function measureMigration(stack: LiveStack, bulk: string): Promise<void> {
  const project = join(stack.project.directory, "migrated");
  await mkdir(join(project, MIGRATION_FOLDER), { recursive: true });
  const sql = await shell(
    stack.target,
    "pg_dump --no-owner --no-privileges --inserts --rows-per-insert=100 --exclude-table=public.bulk app",
  );
  const usable = sql.replaceAll(
    /^(\\|SET |SELECT pg_catalog.set_config|CREATE SCHEMA public|CREATE EXTENSION|COMMENT ON ).*$/gm,
    "",
  );
  await writeFile(join(project, MIGRATION_FOLDER, "0001_all.up.sql"), `${usable}\n${bulk}`);
  const administrator = await stack.session("administrator", { database: "postgres" });
  const times: number[] = [];
  for (let round = 0; round < SLOW_PEER_ROUNDS; round += 1) {
    times.push(
      await millisecondsOf(async () => {
        await administrator.query("CREATE DATABASE peer TEMPLATE template0");
        const client = await stack.session("administrator", { database: "peer" });
        await migrate(client, { project, direction: "up" });
        await client.end();
      }),
    );
    await administrator.query("DROP DATABASE peer");
  }
  report("a migration run", times);
  await administrator.end();
}
