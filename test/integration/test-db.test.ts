import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SuperuserSession } from "../../operations/superuser/session.ts";
import { LeaseTable, type PoolEntry } from "../../operations/testing/lease-table.ts";
import { acquireDatabase, databaseTest, type TestDatabase } from "../../testing/vitest/index.ts";
import { PoolService } from "../support/pool-service.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const FAST = { serverSettings: { fsync: false, full_page_writes: false, synchronous_commit: false } };

let stack: LiveStack;
let service: PoolService;

beforeAll(async () => {
  stack = await LiveStack.bringUp(FAST);
  service = new PoolService(stack);
});

afterAll(async () => {
  await service?.end();
  await stack?.project.remove();
});

async function session({ clientConfig }: TestDatabase): Promise<Client> {
  const client = new Client(clientConfig);
  client.on("error", () => {});
  await client.connect();
  return client;
}

interface Address {
  readonly url: string;
  readonly token: string;
}

async function addressOf(file = process.env.PGSTACK_TEST_DB ?? ""): Promise<Address> {
  return JSON.parse(await readFile(file, "utf8"));
}

async function ask(
  method: string,
  path: string,
  body?: string,
  to: Partial<Address> = {},
): Promise<[number, string]> {
  const address = { ...(await addressOf()), ...to };
  const headers = { authorization: `Bearer ${address.token}` };
  const response = await fetch(`${address.url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  return [response.status, await response.text()];
}

describe("T3 by command", () => {
  test("T3 acquire prints what connects, release throws the database away, an expired lease is taken back", async () => {
    const acquired = await stack.project.pgstack(["test-db", "acquire", "--seconds", "3", "--json"]);
    expect(acquired.code, acquired.output).toBe(0);
    const given = JSON.parse(acquired.stdout);
    expect(given).toMatchObject({
      user: "application",
      sslmode: "verify-full",
      url: expect.stringMatching(/^postgresql:/),
    });
    const client = await session({
      clientConfig: {
        ...{
          host: given.hostaddr,
          port: given.port,
          user: given.user,
          password: given.password,
          database: given.database,
        },
        ssl: { ca: await readFile(given.sslrootcert, "utf8"), servername: given.host },
      },
    } as TestDatabase);
    await client.query("SELECT set_app_user((SELECT NULL::uuid))").catch(() => {});
    expect((await client.query("SELECT count(*)::int AS n FROM tenants")).rows).toEqual([{ n: 0 }]);
    await expect
      .poll(async () => (await service.entries()).some(({ lease }) => lease === given.lease), {
        timeout: 20_000,
      })
      .toBe(false);
    const late = await stack.project.pgstack(["test-db", "release", given.lease]);
    expect([late.code, late.stderr]).toEqual([
      1,
      expect.stringMatching(/there is no lease .*or it has expired/),
    ]);
    await client.end().catch(() => {});

    const second = await stack.project.pgstack(["test-db", "acquire", "--json"]);
    const { lease, database } = JSON.parse(second.stdout);
    const released = await stack.project.pgstack(["test-db", "release", lease]);
    expect(released.code, released.output).toBe(0);
    expect(await stack.value(`(SELECT count(*) FROM pg_database WHERE datname = '${database}')`)).toBe("0");
    expect((await service.listed()).filter(({ state }) => state !== "ready")).toEqual([]);
  });
});

describe("T3 over HTTP", () => {
  beforeAll(() => service.start("--ready", "8"));

  test("T3 the token is needed, and each slip has its own answer", async () => {
    expect((await ask("GET", "/databases", undefined, { token: "wrong" }))[0]).toBe(401);
    expect(await ask("POST", "/databases", "{")).toEqual([400, expect.stringMatching(/is no JSON/)]);
    expect(await ask("POST", "/databases", '{"seconds": 0}')).toEqual([
      400,
      expect.stringMatching(/seconds: /),
    ]);
    expect(await ask("DELETE", "/databases/none")).toEqual([
      404,
      expect.stringMatching(/there is no lease none/),
    ]);
    expect((await ask("PATCH", "/databases"))[0]).toBe(405);
    expect((await ask("GET", "/nothing"))[0]).toBe(404);
  });

  test("T3 eight at a time, forty tests each: nobody sees another's rows", async () => {
    const seen = await Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        const databases = new Set<string>();
        for (let round = 0; round < 40; round += 1) {
          const database = await acquireDatabase(60);
          databases.add(database.database);
          const client = await session(database);
          const before = await client.query(
            "SELECT count(*)::int AS n FROM public.tenants WHERE slug LIKE 'mine%'",
          );
          expect(before.rows).toEqual([{ n: 0 }]);
          await client.query("SELECT set_config('app.user_id', $1, false)", [
            "00000000-0000-4000-8000-000000000000",
          ]);
          await client.query("CREATE TEMP TABLE t AS SELECT 1 AS n");
          await client.query("INSERT INTO pg_temp.t VALUES ($1)", [worker]);
          if (round % 2 === 0) await client.end();
          // The other half leaves its session open: it is ended.
          await database.release();
        }
        return databases.size;
      }),
    );
    expect(seen).toEqual(Array.from({ length: 8 }, () => 40));
  });

  test("T3 a taker's first query finds the table in the server's memory", async () => {
    const ready = async () => (await service.entries()).filter(({ state }) => state === "ready").length;
    await expect.poll(ready, { timeout: 30_000 }).toBe(8);
    const database = await acquireDatabase(60);
    const counted = async () => {
      const administrator = await stack.session("administrator", { database: database.database });
      const { rows } = await administrator.query<{ read: number; hit: number }>(
        "SELECT heap_blks_read::int AS read, heap_blks_hit::int AS hit FROM pg_statio_user_tables WHERE relname = 'projects'",
      );
      await administrator.end();
      return rows[0] ?? { read: 0, hit: 0 };
    };
    const before = await counted();
    // Row-level security would keep the application from the rows.
    const client = await stack.session("administrator", { database: database.database });
    await client.query("SELECT FROM public.projects LIMIT 1");
    await client.end();
    // A session tells what it read when it ends.
    let after = before;
    const touched = async () => {
      after = await counted();
      return after.read + after.hit;
    };
    await expect.poll(touched, { timeout: 20_000 }).toBeGreaterThan(before.read + before.hit);
    expect(after.read).toBe(before.read);
    await database.release();
  });

  databaseTest(
    "T3 the fixture's reset: a fresh copy under the same name, live clients are ended",
    async ({ database }) => {
      const client = await session(database);
      await client.query("BEGIN");
      const gone = once(client, "error");
      await database.reset();
      await gone;
      const again = await session(database);
      expect((await again.query("SELECT current_database() AS name")).rows).toEqual([
        { name: database.database },
      ]);
      await again.end();
    },
  );

  test("T3 a test that computes for long without a break still reaches the service after it", async () => {
    const database = await acquireDatabase(60);
    // Longer than a server of Node.js keeps an idle connection by itself; nothing is read from it meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 8_000);
    await database.reset();
    await database.release();
  });

  test("F59 the service is killed: leases stay until they expire, and the next one makes up for what is missing", async () => {
    const database = await acquireDatabase(4);
    await service.end("SIGKILL");
    await service.start("--ready", "8");
    const client = await session(database);
    await client.end();
    await expect
      .poll(async () => (await service.entries()).filter(({ state }) => state !== "ready"), {
        timeout: 30_000,
      })
      .toEqual([]);
    expect(await service.databases()).toBe((await service.entries()).length);
  });

  test("F59 the service is killed in the middle of a reset: the next one has the database open, and resets it", async () => {
    const held = await acquireDatabase(600);
    const lease = (await service.entries()).find(({ database }) => database === held.database)?.lease;
    // The administrator ends no superuser's session: the reset waits for it.
    const superuser = await SuperuserSession.open(stack.target);
    await superuser.run(`\\connect ${held.database}`);
    const cut = ask("POST", `/databases/${lease}/reset`).catch((error: unknown) => error);
    const open = `(SELECT datallowconn FROM pg_database WHERE datname = '${held.database}')`;
    await expect.poll(() => stack.value(open), { interval: 10, timeout: 20_000 }).toBe("false");
    await service.end("SIGKILL");
    await cut;
    superuser.close();
    await service.start("--ready", "8");
    await expect.poll(() => stack.value(open), { timeout: 20_000 }).toBe("true");
    const again = await session(held);
    await again.end();
    const others = async () =>
      (await service.entries()).filter(
        ({ state, database }) => state !== "ready" && database !== held.database,
      );
    await expect.poll(others, { timeout: 20_000 }).toEqual([]);
    expect((await ask("POST", `/databases/${lease}/reset`))[0]).toBe(200);
    await ask("DELETE", `/databases/${lease}`);
  });

  test("F59 the server ends the service's sessions while they are at work: it goes on, and nothing is left", async () => {
    await service.end();
    await service.start("--ready", "0", "--max-databases", "120");
    const administrator = await stack.session("administrator", { database: "postgres" });
    const given: string[] = [];
    const claims = Promise.all(
      Array.from({ length: 60 }, async () => {
        // One that was given out without the answer's arriving ends by itself.
        const [status, text] = await ask("POST", "/databases", '{"seconds": 5}');
        if (status === 201) given.push(JSON.parse(text).lease);
        else expect(text).toMatch(/^\{"error":"[^"]+"\}\n$/);
      }),
    );
    const count = async (sql: string): Promise<number> => Number((await administrator.query(sql)).rows[0]?.n);
    const making = "SELECT count(*) AS n FROM pgstack_test.leases WHERE state = 'making'";
    await expect.poll(() => count(making), { interval: 1, timeout: 20_000 }).toBeGreaterThan(1);
    const ended = `SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity
      WHERE usename = 'administrator' AND pid <> pg_backend_pid()`;
    expect(await count(ended)).toBeGreaterThan(4);
    await claims;
    for (let more = 0; more < 12; more += 1) {
      const [status, text] = await ask("POST", "/databases");
      expect([status, text]).toEqual([201, expect.any(String)]);
      given.push(JSON.parse(text).lease);
    }
    for (const lease of given) await ask("DELETE", `/databases/${lease}`);
    await administrator.end();
    await expect.poll(() => service.entries(), { timeout: 60_000 }).toEqual([]);
    expect(await service.databases()).toBe(0);
  });

  test("F59 a hundred claims at once share no database", async () => {
    await service.end();
    await service.start("--ready", "8", "--max-databases", "120");
    const all = await Promise.all(Array.from({ length: 100 }, () => acquireDatabase(60)));
    expect(new Set(all.map(({ database }) => database)).size).toBe(100);
    await Promise.all(all.map((one) => one.release()));
  });
});

describe("T1 T3 a snapshot that is made anew while it is served", () => {
  test("T3 the service gives out the new one within moments", async () => {
    const administrator = await stack.session("administrator");
    await administrator.query("CREATE TABLE public.anew (n int)");
    await administrator.end();
    const made = await stack.project.pgstack(["snapshot", "create", "standard"]);
    expect(made.code, made.output).toBe(0);
    const hasTable = async () => {
      const database = await acquireDatabase(60);
      const client = await session(database);
      const { rows } = await client.query("SELECT to_regclass('public.anew') IS NOT NULL AS there");
      await client.end();
      await database.release();
      return rows;
    };
    await expect.poll(hasTable, { timeout: 30_000, interval: 200 }).toEqual([{ there: true }]);
  });
});

/** The table of the leases as a session sees it. */
function table(client: Client): LeaseTable {
  return new LeaseTable(
    async <Row extends object>(text: string, values: readonly unknown[] = []) =>
      (await client.query<Row>(text, [...values])).rows,
    "race",
  );
}

describe("F59 given out and thrown away at once", () => {
  test("F59 what is given out while it waits to be thrown away stays its taker's", async () => {
    const [taker, sweeper] = await Promise.all([
      stack.session("administrator", { database: "postgres" }),
      stack.session("administrator", { database: "postgres" }),
    ]);
    await taker.query(
      "INSERT INTO pgstack_test.leases (database, key, state) VALUES ('pgstack_test_race', 'race', 'ready')",
    );
    await taker.query("BEGIN");
    const lease = await table(taker).claim(60, "the taker");
    const sweeping = table(sweeper).sweep(0);
    const blocked = "(SELECT count(*) FROM pg_locks WHERE NOT granted)";
    await expect.poll(() => stack.value(blocked), { timeout: 20_000 }).not.toBe("0");
    await taker.query("COMMIT");
    await sweeping;
    expect(await table(taker).list()).toContainEqual(
      expect.objectContaining({
        ...{ database: "pgstack_test_race", state: "leased", lease: lease?.lease, takenBy: "the taker" },
      }),
    );
    await taker.query("DELETE FROM pgstack_test.leases WHERE database = 'pgstack_test_race'");
    await Promise.all([taker.end(), sweeper.end()]);
  });

  test("F59 a database that is dropped while all are measured does not count, and nothing fails by it", async () => {
    const one = await acquireDatabase(60);
    const measurer = await stack.session("administrator", { database: "postgres" });
    // Sees the databases as they are now, as one statement does that began before the drop.
    await measurer.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const before = await table(measurer).measure();
    await one.release();
    const there = `(SELECT count(*) FROM pg_database WHERE datname = '${one.database}')`;
    await expect.poll(() => stack.value(there), { timeout: 20_000 }).toBe("0");
    const { databases, bytes } = await table(measurer).measure();
    expect(databases).toBeLessThan(before.databases);
    expect(bytes).toBeLessThan(before.bytes);
    await measurer.end();
  });

  test("F59 one that cannot be dropped keeps no other from being made ready, and goes as soon as it can", async () => {
    await service.end();
    await service.start("--ready", "9");
    const held = await acquireDatabase(60);
    const states = async () => {
      const [, entries] = await ask("GET", "/databases");
      return JSON.parse(entries)
        .map(({ state }: PoolEntry) => state)
        .toSorted();
    };
    const nine = Array.from({ length: 9 }, () => "ready");
    await expect.poll(states, { timeout: 40_000 }).toEqual(["leased", ...nine]);
    // The administrator ends no superuser's session.
    const superuser = await SuperuserSession.open(stack.target);
    try {
      await superuser.run(`\\connect ${held.database}`);
      await held.release();
      await (await acquireDatabase(60)).release();
      await expect.poll(states, { timeout: 40_000 }).toEqual(["dirty", ...nine]);
      superuser.close();
      await expect.poll(states, { timeout: 40_000 }).toEqual(nine);
    } finally {
      superuser.close();
    }
  });
});

describe("T3 Ctrl-C", () => {
  test("T3 one that comes twice, as to a process group without a terminal, ends the service in order", async () => {
    await service.end();
    await service.start();
    const one = service.end("SIGINT");
    // One that is pending already would be the same signal.
    await delay(5);
    expect(await Promise.all([one, service.end("SIGINT")])).toEqual([0, 0]);
    expect(existsSync(service.addressFile)).toBe(false);
  });
});

describe("T3 the service's end", () => {
  test("T3 a taker that waits is still answered, and then the service is gone", async () => {
    await service.end();
    await service.start("--ready", "0", "--max-databases", "1");
    const [, first] = await ask("POST", "/databases");
    const waiting = acquireDatabase(5);
    // Comes after it.
    await ask("GET", "/databases");
    const ended = service.end();
    const released = await stack.project.pgstack(["test-db", "release", JSON.parse(first).lease]);
    expect(released.code, released.output).toBe(0);
    expect((await waiting).database).toMatch(/^pgstack_test_/);
    expect(await ended).toBe(0);
  });
});

describe("T3 limits", () => {
  test("T3 at the limit a taker waits, and is told when none becomes free", async () => {
    await service?.end();
    await service.start("--ready", "1", "--max-databases", "2");
    const two = [await acquireDatabase(60), await acquireDatabase(60)];
    expect(await ask("POST", "/databases", '{"waitSeconds": 1}')).toEqual([
      503,
      expect.stringMatching(/no database is free: 2 databases and 8192 MB are the limit/),
    ]);
    const waiting = acquireDatabase(60);
    await two[0]?.release();
    const third = await waiting;
    await third.release();
    await two[1]?.release();
  });

  test("T3 many takers at once get no more than the limit, through two services too", async () => {
    const first = await addressOf();
    const other = new PoolService(stack, "other.json");
    await other.start("--ready", "0", "--max-databases", "2");
    try {
      const second = await addressOf(other.addressFile);
      let all = 0;
      for (let round = 0; round < 10; round += 1) {
        const given: string[] = [];
        await Promise.all(
          Array.from({ length: 12 }, async (_, taker) => {
            const address = taker % 2 === 0 ? first : second;
            const [status, text] = await ask("POST", "/databases", '{"waitSeconds": 0}', address);
            if (status === 201) given.push(JSON.parse(text).lease);
          }),
        );
        expect(given.length).toBeLessThanOrEqual(2);
        all += given.length;
        for (const lease of given) await ask("DELETE", `/databases/${lease}`, undefined, first);
      }
      expect(all).toBeGreaterThan(0);
    } finally {
      await other.end();
    }
  });

  test("T3 megabytes that hold no copy are refused at once, with those that would", async () => {
    const { code, stderr } = await stack.project.pgstack(["test-db", "acquire", "--max-megabytes", "1"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^pgstack: --max-megabytes must be \d+ or more: that is what a single copy of the snapshot has\n$/,
      ),
    ]);
  });

  test("T3 what takers write counts: where all together reach the megabytes, no more are given out", async () => {
    await service.end();
    await service.start("--ready", "0", "--max-megabytes", "120");
    const one = await acquireDatabase(60);
    await stack.write(`GRANT CREATE ON DATABASE ${one.database} TO application;`);
    const client = await session(one);
    await client.query(
      "CREATE SCHEMA own; CREATE TABLE own.large AS SELECT repeat(md5(n::text), 30) AS text FROM generate_series(1, 110000) AS n",
    );
    await client.end();
    const wish = '{"waitSeconds": 0}';
    await expect
      .poll(
        async () => {
          const [status, text] = await ask("POST", "/databases", wish);
          if (status === 201) await ask("DELETE", `/databases/${JSON.parse(text).lease}`);
          return [status, text];
        },
        { timeout: 30_000, interval: 200 },
      )
      .toEqual([503, expect.stringContaining("no database is free: 50 databases and 120 MB are the limit")]);
    await one.release();
    await (await acquireDatabase(60)).release();
  });
});
