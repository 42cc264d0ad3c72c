import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { DATA_MOUNT } from "../operations/data-directory.ts";
import { MIGRATION_FOLDER, migrate } from "../operations/migrations.ts";
import { runAsSuperuser } from "../operations/superuser.ts";
import { createSnapshot } from "../operations/testing/create.ts";
import { TestPool } from "../operations/testing/pool.ts";
import { resetToSnapshot } from "../operations/testing.ts";
import { PoolService } from "../test/support/pool-service.ts";
import { LiveStack } from "../test/support/security/live-stack.ts";
import { acquireDatabase, type TestDatabase } from "../testing/vitest/client.ts";
import { shell } from "./pgbench.ts";

/** Before those that count: a process of Node.js that has just begun compiles what it runs. */
const WARM_UP_ROUNDS = 20;
const PEER_ROUNDS = 10;
/** A test's own connection, or an application's pool beside it. */
const LIVE_CLIENTS = [1, 5] as const;
const READY = 2;
const DUMP = `${DATA_MOUNT}/peer.dump`;
const PLAIN = `${DATA_MOUNT}/peer.sql`;
/** Rows of pgbench's accounts that make a snapshot of about these sizes, beside the standard one. */
const SIZES = [
  { name: "standard", rows: 0, rounds: 200 },
  { name: "hundred", rows: 650_000, rounds: 50 },
  { name: "thousand", rows: 5_000_000, rounds: 50 },
] as const;
/** The data in memory, and on disk with everything that makes it durable. */
const PLACES = {
  "data in memory": { memoryLimit: "16GB", dataInMemory: "11GB" },
  "data on disk": { memoryLimit: "2GB" },
};
const ALIKE = { sharedBuffers: "512MB", testSnapshot: "standard" };

let stack: LiveStack;
const specification = {
  ...{ name: "app", administrator: "administrator", application: "application", readonly: "readonly" },
  ...{ schemas: [], extensions: ["uuid-ossp", "pgcrypto", "pg_stat_statements"] },
};
/** How the pool has its takers connect. */
let config: TestDatabase["clientConfig"];
const lines: string[] = [
  `milliseconds: p50, p95, p99 (of ${PEER_ROUNDS} where none is ready and for the tools alone; else after ${WARM_UP_ROUNDS} rounds to warm up); the first query included`,
];
for (const [place, settings] of Object.entries(PLACES)) {
  stack = await LiveStack.bringUp({ ...ALIKE, ...settings });
  lines.push("", place);
  try {
    await measure(place === "data in memory" ? SIZES : SIZES.slice(0, 1));
  } finally {
    await stack.project.remove();
  }
}
const text = lines.join("\n");
console.log(text);
const output = join(import.meta.dirname, "output");
await mkdir(output, { recursive: true });
await writeFile(join(output, "testing.txt"), `${text}\n`);

async function measure(sizes: readonly (typeof SIZES)[number][]): Promise<void> {
  const { target, project } = stack;
  for (const { name, rows, rounds } of sizes) {
    console.error(`snapshot ${name}`);
    await resetToSnapshot(target, { project: project.directory, name: "standard", specification });
    if (rows > 0) {
      await runAsSuperuser(
        target,
        `CREATE TABLE public.bulk AS SELECT n, md5(n::text) AS a, md5((n + 1)::text) AS b, repeat('x', 80) AS c FROM generate_series(1, ${rows}) AS n;
         ALTER TABLE public.bulk ADD PRIMARY KEY (n);`,
        { database: "app", timeoutMilliseconds: 0 },
      );
      await createSnapshot(target, { project: project.directory, name });
    }
    await resetToSnapshot(target, { project: project.directory, name, specification });
    const size = await stack.value("pg_size_pretty(pg_database_size('app'))");
    lines.push("", `snapshot ${name}, ${size}, ${rounds} rounds`);
    await pool(name, rounds);
    await peers(name);
  }
}

async function pool(name: string, rounds: number): Promise<void> {
  const { target, project } = stack;
  // A process of its own, as a test runner finds it.
  const service = new PoolService(stack);
  await service.start("--ready", String(READY), "--snapshot", name);
  const served = JSON.parse(await readFile(service.addressFile, "utf8")) as { url: string; token: string };
  const settled = async () => {
    for (;;) {
      const response = await fetch(`${served.url}/databases`, {
        headers: { authorization: `Bearer ${served.token}` },
      });
      const entries = (await response.json()) as { readonly state: string }[];
      const count = (state: string) => entries.filter((entry) => entry.state === state).length;
      if (count("ready") >= READY && count("dirty") + count("making") === 0) return;
      await delay(5);
    }
  };
  try {
    const acquire: number[] = [];
    const reset = LIVE_CLIENTS.map((live) => ({ live, times: [] as number[] }));
    for (let round = 0; round < WARM_UP_ROUNDS + rounds; round += 1) {
      for (const { live, times } of reset) {
        await settled();
        let taken: TestDatabase | undefined;
        acquire.push(
          await untilAnswered(async () => {
            taken = await acquireDatabase(60);
            config = taken.clientConfig;
            return await session(config.database);
          }),
        );
        const { database } = config;
        await settled();
        const clients = await Promise.all(Array.from({ length: live }, () => session(database)));
        times.push(
          await untilAnswered(async () => {
            await taken?.reset();
            return await session(database);
          }),
        );
        await Promise.all(clients.map((client) => client.end().catch(() => {})));
        await taken?.release();
      }
    }
    const connected: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      connected.push(await untilAnswered(() => session("app")));
    }
    report("connection and first query alone", connected);
    report("acquire over HTTP, one is ready", acquire.slice(WARM_UP_ROUNDS * LIVE_CLIENTS.length));
    for (const { live, times } of reset) {
      report(`reset over HTTP, live clients: ${live}, one is ready`, times.slice(WARM_UP_ROUNDS));
    }
  } finally {
    await service.end();
  }
  const cold = await TestPool.open(target, {
    ...{ project: project.directory, snapshot: name, specification, ready: 0 },
    connect: () => stack.session("administrator", { database: "postgres" }),
  });
  for (const { state, lease } of await cold.list()) if (state === "leased") await cold.release(lease ?? "");
  await drain(cold);
  const without: number[] = [];
  for (let round = 0; round < PEER_ROUNDS; round += 1) {
    let lease = { lease: "", database: "" };
    without.push(
      await untilAnswered(async () => {
        lease = await cold.acquire({ seconds: 60, takenBy: "bench" });
        return await session(lease.database);
      }),
    );
    await cold.release(lease.lease);
    await cold.settled();
  }
  report("acquire, none is ready", without);
  await cold.close();
  const resets: number[] = [];
  for (let round = 0; round < PEER_ROUNDS; round += 1) {
    resets.push(
      await millisecondsOf(
        async () => void (await resetToSnapshot(target, { project: project.directory, name, specification })),
      ),
    );
  }
  report("the operation behind reset-test, next copy made included", resets);
}

/** Takes what is ready, so that nothing is. */
async function drain(one: TestPool): Promise<void> {
  for (const { state } of await one.list()) {
    if (state === "ready") await one.release((await one.acquire({ seconds: 60, takenBy: "bench" })).lease);
  }
  await one.settled();
}

async function peers(name: string): Promise<void> {
  const template = await stack.value(
    `(SELECT datname FROM pg_database WHERE datname LIKE 'pgstack\\_template%' AND shobj_description(oid, 'pg_database') LIKE '%"${name}"%' LIMIT 1)`,
  );
  const administrator = await stack.session("administrator", { database: "postgres" });
  for (const strategy of ["file_copy", "wal_log"]) {
    const times: number[] = [];
    for (let round = 0; round < PEER_ROUNDS; round += 1) {
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
  const { target } = stack;
  report("as much written to the same place alone", await written());
  if (name === "standard") await migrations(administrator);
  await administrator.end();
  await shell(target, `pg_dump -Fc --compress=1 -f ${DUMP} app && pg_dump -f ${PLAIN} app`);
  const restores: Record<string, string> = {
    "psql -f": `createdb peer && psql -q -v ON_ERROR_STOP=1 -f ${PLAIN} peer >/dev/null`,
    pg_restore: `createdb peer && pg_restore -d peer ${DUMP}`,
  };
  for (const [tool, script] of Object.entries(restores)) {
    const times: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      times.push(await millisecondsOf(async () => void (await shell(target, script))));
      await shell(target, "dropdb peer");
    }
    report(`${tool} alone`, times);
  }
  await shell(target, `rm -f ${DUMP} ${PLAIN}`);
}

/** As many bytes as the database has, in one file: on some machines the memory itself takes most of a copy's time. */
async function written(): Promise<number[]> {
  const bytes = await stack.value("pg_database_size('app')");
  const file = `${DATA_MOUNT}/peer.bytes`;
  const printed = await shell(
    stack.target,
    `for round in $(seq ${PEER_ROUNDS}); do
       before=$(date +%s%N); head -c ${bytes} /dev/zero > ${file}; echo $(( ($(date +%s%N) - before) / 1000 )); rm ${file}
     done`,
  );
  return printed.split("\n").map((microseconds) => Number(microseconds) / 1_000);
}

/** The snapshot's SQL as a migration on an empty database: what a suite without templates does before each test. */
async function migrations(administrator: Client): Promise<void> {
  const project = join(stack.project.directory, "migrated");
  await mkdir(join(project, MIGRATION_FOLDER), { recursive: true });
  const sql = await shell(
    stack.target,
    "pg_dump --no-owner --no-privileges --inserts --rows-per-insert=100 app",
  );
  const usable = sql.replaceAll(
    /^(\\|SET |SELECT pg_catalog.set_config|CREATE SCHEMA public|CREATE EXTENSION|COMMENT ON ).*$/gm,
    "",
  );
  await writeFile(join(project, MIGRATION_FOLDER, "0001_all.up.sql"), usable);
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
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
}

/** As a test's own client connects: as it was told, with the certificate verified. */
async function session(database: string): Promise<Client> {
  const client = new Client({ ...config, database });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Milliseconds until a session is there and has answered a first query; it is ended after that. */
async function untilAnswered(connect: () => Promise<Client>): Promise<number> {
  const started = performance.now();
  const client = await connect();
  await client.query("SELECT count(*) FROM public.tenants");
  const took = performance.now() - started;
  await client.end();
  return took;
}

async function millisecondsOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function report(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (part: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN)
      .toFixed(1)
      .padStart(8);
  lines.push(`${at(0.5)} ${at(0.95)} ${at(0.99)}  ${name}`);
  console.error(lines.at(-1));
}
