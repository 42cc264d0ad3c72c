import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { parse } from "yaml";
import { runAsSuperuser } from "../operations/superuser.ts";
import { createSnapshot } from "../operations/testing/create.ts";
import { TestPool } from "../operations/testing/pool.ts";
import { resetToSnapshot } from "../operations/testing.ts";
import { PoolService } from "../test/support/pool-service.ts";
import { LiveStack } from "../test/support/security/live-stack.ts";
import { acquireDatabase, type TestDatabase } from "../testing/vitest/client.ts";
import { holdMemory, measurePeers, PEER_ROUNDS } from "./testing-peers.ts";
import { lines, millisecondsOf, report, untilAnswered } from "./testing-report.ts";

/** Before those that count: a process of Node.js that has just begun compiles what it runs. */
const WARM_UP_ROUNDS = 20;
/** A test's own connection, or an application's pool beside it. */
const LIVE_CLIENTS = [1, 5] as const;
const READY = 2;
/** Rows of pgbench's accounts that make a snapshot of about these sizes, beside the standard one. */
const STANDARD = { name: "standard", rows: 0, rounds: 200 };
const LARGER = [
  { name: "hundred", rows: 650_000, rounds: 50 },
  { name: "thousand", rows: 5_000_000, rounds: 50 },
];
const CI = await settingsOf("ci");
const ROOM = { memoryLimit: "16GB", dataInMemory: "11GB", sharedBuffers: "512MB" };
/** The stack for tests as the repository has it, with room for larger snapshots, with TLS; and one whose data is on disk. */
const PLACES = [
  { place: "the stack ci", settings: CI, sizes: [STANDARD], alone: false },
  {
    place: "the stack ci with TLS",
    settings: { ...CI, tls: { mode: "generated" } },
    sizes: [STANDARD],
    alone: true,
  },
  { place: "the stack ci with more memory", settings: { ...CI, ...ROOM }, sizes: LARGER, alone: false },
  {
    place: "data on disk, and TLS",
    settings: { memoryLimit: "2GB", sharedBuffers: "512MB", testSnapshot: "standard" },
    sizes: [STANDARD],
    alone: false,
  },
];

const specification = {
  ...{ name: "app", administrator: "administrator", application: "application", readonly: "readonly" },
  ...{ schemas: [], extensions: ["uuid-ossp", "pgcrypto", "pg_stat_statements"] },
};
/** How the pool has its takers connect. */
let config: TestDatabase["clientConfig"];
lines.push(
  `milliseconds: p50, p95, p99 (of ${PEER_ROUNDS} or fewer where none is ready and for the tools alone; else after ${WARM_UP_ROUNDS} rounds to warm up); the first query included`,
);
for (const { place, settings, sizes, alone } of PLACES) {
  const stack = await LiveStack.bringUp(settings);
  lines.push("", place);
  console.error(place);
  try {
    for (const size of sizes) await measure(stack, size, alone);
  } finally {
    await stack.project.remove();
  }
}
const text = lines.join("\n");
console.log(text);
const output = join(import.meta.dirname, "output");
await mkdir(output, { recursive: true });
await writeFile(join(output, "testing.txt"), `${text}\n`);

/** What a stack's file in the repository says. */
async function settingsOf(name: string): Promise<Record<string, unknown>> {
  const file = parse(await readFile(join(import.meta.dirname, "..", `Pulumi.${name}.yaml`), "utf8")) as {
    readonly config: Readonly<Record<string, unknown>>;
  };
  const own = Object.entries(file.config).filter(([key]) => key.startsWith("pgstack:"));
  return Object.fromEntries(own.map(([key, value]) => [key.slice("pgstack:".length), value]));
}

/** @param alone Without the tools beside it. */
async function measure(
  stack: LiveStack,
  { name, rows, rounds }: typeof STANDARD,
  alone: boolean,
): Promise<void> {
  const { target, project } = stack;
  const bulk =
    rows === 0
      ? ""
      : `CREATE TABLE public.bulk AS SELECT n, md5(n::text) AS a, md5((n + 1)::text) AS b, repeat('x', 80) AS c FROM generate_series(1, ${rows}) AS n;
ALTER TABLE public.bulk ADD PRIMARY KEY (n);`;
  await resetToSnapshot(target, { project: project.directory, name: "standard", specification });
  if (rows > 0) {
    await runAsSuperuser(target, bulk, { database: "app", timeoutMilliseconds: 0 });
    await createSnapshot(target, { project: project.directory, name });
  }
  await resetToSnapshot(target, { project: project.directory, name, specification });
  const size = await stack.value("pg_size_pretty(pg_database_size('app'))");
  lines.push("", `snapshot ${name}, ${size}, ${rounds} rounds`);
  console.error(lines.at(-1));
  await measurePool(stack, name, rounds);
  if (alone) return;
  await measureCold(stack, name);
  await measurePeers(stack, name, bulk);
}

async function measurePool(stack: LiveStack, name: string, rounds: number): Promise<void> {
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
}

/** What it takes where no copy is ready. */
async function measureCold(stack: LiveStack, name: string): Promise<void> {
  const { target, project } = stack;
  const options = { project: project.directory, specification };
  const cold = await TestPool.open(target, {
    ...{ ...options, snapshot: name, ready: 0 },
    connect: () => stack.session("administrator", { database: "postgres" }),
  });
  for (const { state, lease } of await cold.list()) if (state === "leased") await cold.release(lease ?? "");
  await drain(cold);
  const without: number[] = [];
  for (let round = 0; round < PEER_ROUNDS; round += 1) {
    let lease = { lease: "", database: "" };
    await holdMemory(stack);
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
    await holdMemory(stack);
    resets.push(await millisecondsOf(async () => void (await resetToSnapshot(target, { ...options, name }))));
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

/** As a test's own client connects: as it was told, with the certificate verified. */
async function session(database: string): Promise<Client> {
  const client = new Client({ ...config, database });
  client.on("error", () => {});
  await client.connect();
  return client;
}
