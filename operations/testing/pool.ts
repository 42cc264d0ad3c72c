import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import type { DatabaseSpecification } from "../database.ts";
import { identifier, literal } from "../sql.ts";
import { runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { UserError } from "../user-error.ts";
import { copyScript } from "./copy.ts";
import { requireTestEnvironment } from "./environment.ts";
import { TEST_PREFIX, testName } from "./names.ts";
import { requireSnapshot, snapshotFile } from "./snapshot-files.ts";
import { ensureTemplate, type Template } from "./template.ts";

/** What a {@link TestPool} serves, and how much of it. */
export interface PoolOptions {
  /** Folder of the project, with its snapshots. */
  readonly project: string;
  /** Name of the snapshot. */
  readonly snapshot: string;
  readonly specification: DatabaseSpecification;
  /** A session of the administrator in the database `postgres`. */
  readonly connect: () => Promise<Client>;
  /** Databases that are kept ready. Default: 4. */
  readonly ready?: number;
  /** Most databases at once, of all snapshots. Default: 50. */
  readonly maxDatabases?: number;
  /** Most bytes that all of them have. Default: 8 GB. */
  readonly maxBytes?: number;
  /** Told of what fails in the background. */
  readonly onProblem?: (message: string) => void;
}

/** A database that somebody has. */
export interface Lease {
  readonly lease: string;
  readonly database: string;
  /** ISO 8601: it is taken back then. */
  readonly expiresAt: string;
}

/** One database of the pool. */
export interface PoolEntry {
  readonly database: string;
  readonly state: "making" | "ready" | "leased" | "dirty";
  readonly lease: string | null;
  readonly expiresAt: string | null;
  readonly takenBy: string | null;
}

const READY = 4;
const MAX_DATABASES = 50;
const MAX_BYTES = 8 * 1024 ** 3;
/** A copy that is taken for a reset is in its place long before. */
const RESET_SECONDS = 60;
const POLL_MILLISECONDS = 25;
const SOON_MILLISECONDS = 50;
const LONGEST_END_MILLISECONDS = 10_000;

const TABLE = "pgstack_test.leases";
const MAKE_TABLE = (administrator: string) => `
SELECT pg_advisory_lock(7205759404);
CREATE SCHEMA IF NOT EXISTS pgstack_test;
CREATE TABLE IF NOT EXISTS ${TABLE} (
  database text PRIMARY KEY,
  key text NOT NULL,
  state text NOT NULL CHECK (state IN ('making', 'ready', 'leased', 'dirty')),
  lease text UNIQUE,
  until timestamptz,
  taken_by text
);
GRANT USAGE ON SCHEMA pgstack_test TO ${identifier(administrator)};
GRANT SELECT, INSERT, UPDATE, DELETE ON ${TABLE} TO ${identifier(administrator)};`;

/**
 * Ready databases for parallel tests: each is a copy of a snapshot's template, given to one taker at a time, and thrown away
 * after it. What is given to whom stands in the cluster, so that several processes share one pool and a killed one leaks
 * nothing: leases end by themselves.
 */
export class TestPool {
  readonly #target: Target;
  readonly #options: PoolOptions;
  readonly #template: Template;
  readonly #idle: Client[] = [];
  #background: Promise<void> | undefined;
  #soon: NodeJS.Timeout | undefined;

  private constructor(target: Target, options: PoolOptions, template: Template) {
    this.#target = target;
    this.#options = options;
    this.#template = template;
  }

  /** Opens the pool of a test stack. @throws UserError for any other stack, and for a snapshot that is not whole. */
  static async open(target: Target, options: PoolOptions): Promise<TestPool> {
    const { project, snapshot: name, specification } = options;
    const snapshot = await requireSnapshot(project, name);
    await requireTestEnvironment(target);
    const template = await ensureTemplate(target, {
      ...{ snapshot, file: snapshotFile(project, name), specification },
    });
    await runAsSuperuser(target, MAKE_TABLE(specification.administrator));
    const pool = new TestPool(target, options, template);
    await pool.clean();
    return pool;
  }

  /**
   * Gives a database out.
   *
   * @param waitSeconds How long to wait for one where the pool is at its limit. Default: 30.
   * @throws UserError when none can be had.
   */
  async acquire({
    seconds,
    takenBy,
    waitSeconds = 30,
  }: {
    readonly seconds: number;
    readonly takenBy: string;
    readonly waitSeconds?: number;
  }): Promise<Lease> {
    const deadline = performance.now() + waitSeconds * 1_000;
    for (;;) {
      const lease = (await this.#claim(seconds, takenBy)) ?? (await this.#makeAndClaim(seconds, takenBy));
      if (lease !== undefined) {
        this.#keepReadySoon();
        return lease;
      }
      await this.clean();
      if (performance.now() > deadline) {
        throw new UserError(
          `no database is free: ${this.#limits()} are the limit, and all are given out (pgstack test-db list)`,
        );
      }
      await delay(POLL_MILLISECONDS);
    }
  }

  /** Takes a database back; it is thrown away. @throws UserError for a lease that is none (any more). */
  async release(lease: string): Promise<void> {
    const rows = await this.#query<{ database: string }>(
      `UPDATE ${TABLE} SET state = 'dirty', lease = NULL, until = NULL WHERE lease = $1 RETURNING database`,
      [lease],
    );
    if (rows.length === 0) throw unknownLease(lease);
    this.#keepReadySoon();
  }

  /** Puts a fresh copy in the place of a leased database, under its name; its sessions are ended. */
  async reset(lease: string): Promise<Lease> {
    const [held] = await this.#query<{ database: string; until: string }>(
      `SELECT database, until::text FROM ${TABLE} WHERE lease = $1 AND until > now()`,
      [lease],
    );
    if (held === undefined) throw unknownLease(lease);
    const fresh = await this.acquire({ seconds: RESET_SECONDS, takenBy: `reset of ${held.database}` });
    await this.#exchange(held.database, fresh);
    return { lease, database: held.database, expiresAt: new Date(held.until).toISOString() };
  }

  async list(): Promise<PoolEntry[]> {
    return await this.#query<PoolEntry>(
      `SELECT database, state, lease, to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "expiresAt", taken_by AS "takenBy"
         FROM ${TABLE} ORDER BY state, database`,
    );
  }

  /** Throws away what was given back, what has expired, and what killed runs have left. */
  async clean(): Promise<void> {
    await this.#query(
      `UPDATE ${TABLE} SET state = 'dirty', lease = NULL
        WHERE (state = 'leased' AND until < now())
           OR (state = 'making' AND pg_try_advisory_xact_lock(${lockOf("database")}))
           OR database IN (SELECT database FROM ${TABLE} WHERE state = 'ready' ORDER BY database
                            LIMIT greatest(0, (SELECT count(*) FROM ${TABLE}) - $1))`,
      [this.#maxDatabases],
    );
    const dirty = await this.#query<{ database: string }>(
      `SELECT database FROM ${TABLE} WHERE state = 'dirty' UNION
       SELECT datname FROM pg_database WHERE datname LIKE ${literal(`${TEST_PREFIX.replaceAll("_", "\\_")}%`)}
          AND NOT EXISTS (SELECT FROM ${TABLE} WHERE database = datname)`,
    );
    for (const { database } of dirty) await this.#drop(database);
  }

  /** Cleans and makes ready in the background. */
  keepReady(): void {
    this.#background ??= (async () => {
      try {
        await this.clean();
        while ((await this.#countReady()) < (this.#options.ready ?? READY)) {
          if (!(await this.#make())) break;
        }
      } catch (error) {
        this.#options.onProblem?.(error instanceof Error ? error.message : String(error));
      } finally {
        this.#background = undefined;
      }
    })();
  }

  /** Waits until what is to be done in the background is done. */
  async settled(): Promise<void> {
    if (this.#soon !== undefined) {
      clearTimeout(this.#soon);
      this.#soon = undefined;
      this.keepReady();
    }
    await this.#background;
  }

  async close(): Promise<void> {
    await this.settled();
    await Promise.all(this.#idle.splice(0).map((client) => client.end()));
  }

  async #claim(seconds: number, takenBy: string): Promise<Lease | undefined> {
    const lease = randomUUID();
    const [row] = await this.#query<{ database: string; until: string }>(
      `UPDATE ${TABLE} SET state = 'leased', lease = $1, until = now() + $2 * interval '1 second', taken_by = $3
        WHERE database = (SELECT database FROM ${TABLE} WHERE key = $4 AND state = 'ready' ORDER BY database LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING database, until::text`,
      [lease, seconds, takenBy, this.#template.key],
    );
    if (row === undefined) return undefined;
    return { lease, database: row.database, expiresAt: new Date(row.until).toISOString() };
  }

  async #makeAndClaim(seconds: number, takenBy: string): Promise<Lease | undefined> {
    return (await this.#make()) ? this.#claim(seconds, takenBy) : undefined;
  }

  /** Makes one more database ready; false where the limit is reached. */
  async #make(): Promise<boolean> {
    const { key, name } = this.#template;
    const database = testName(key);
    return await this.#with(async (client) => {
      // Held as long as this process is at it: one that was killed is told by it.
      await client.query(`SELECT pg_advisory_lock(${lockOf("$1")})`, [database]);
      try {
        const { rowCount } = await client.query(
          `WITH held AS (SELECT count(*) AS n FROM ${TABLE}),
                one AS (SELECT pg_database_size(oid) AS bytes FROM pg_database WHERE datname = $5)
           INSERT INTO ${TABLE} (database, key, state)
           SELECT $1, $2, 'making' FROM held, one
            WHERE held.n < $3 AND (held.n + 1) * one.bytes <= $4`,
          [database, key, this.#maxDatabases, this.#maxBytes, name],
        );
        if (rowCount === 0) return false;
        await runAsSuperuser(
          this.#target,
          `${copyScript(this.#template, database)}\nALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true;`,
          { timeoutMilliseconds: 0 },
        );
        await client.query(`UPDATE ${TABLE} SET state = 'ready' WHERE database = $1`, [database]);
        return true;
      } finally {
        await client.query(`SELECT pg_advisory_unlock(${lockOf("$1")})`, [database]);
      }
    });
  }

  async #countReady(): Promise<number> {
    const [row] = await this.#query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${TABLE} WHERE key = $1 AND state = 'ready'`,
      [this.#template.key],
    );
    return row?.n ?? 0;
  }

  /** Drops a database, unless somebody else is at it. */
  async #drop(database: string): Promise<void> {
    await this.#with(async (client) => {
      const { rows } = await client.query<{ mine: boolean }>(
        `SELECT pg_try_advisory_lock(${lockOf("$1")}) AS mine`,
        [database],
      );
      if (rows[0]?.mine !== true) return;
      try {
        await emptied(client, database);
        await client.query(`DROP DATABASE IF EXISTS ${identifier(database)}`);
        await client.query(`DELETE FROM ${TABLE} WHERE database = $1`, [database]);
      } finally {
        await client.query(`SELECT pg_advisory_unlock(${lockOf("$1")})`, [database]);
      }
    });
  }

  async #exchange(database: string, fresh: Lease): Promise<void> {
    const old = testName(this.#template.key);
    await this.#with(async (client) => {
      await emptied(client, database);
      await client.query("BEGIN");
      try {
        await client.query(`ALTER DATABASE ${identifier(database)} RENAME TO ${identifier(old)}`);
        await client.query(`ALTER DATABASE ${identifier(fresh.database)} RENAME TO ${identifier(database)}`);
        await client.query(
          `UPDATE ${TABLE} SET database = $2, state = 'dirty', lease = NULL, until = NULL WHERE lease = $1`,
          [fresh.lease, old],
        );
        await client.query("COMMIT");
      } catch (error) {
        await client.query("ROLLBACK");
        await client.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true`);
        throw error;
      }
    });
    this.#keepReadySoon();
  }

  /** In a moment: whoever has just been given a database is about to connect, and that goes first. */
  #keepReadySoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.keepReady();
    }, SOON_MILLISECONDS);
  }

  async #query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return await this.#with(async (client) => (await client.query<Row>(text, [...values])).rows);
  }

  async #with<Value>(work: (client: Client) => Promise<Value>): Promise<Value> {
    const client = this.#idle.pop() ?? (await this.#options.connect());
    let broken = false;
    client.once("error", () => {
      broken = true;
    });
    try {
      return await work(client);
    } finally {
      client.removeAllListeners("error");
      client.on("error", () => {});
      if (broken) await client.end().catch(() => {});
      else this.#idle.push(client);
    }
  }

  get #maxDatabases(): number {
    return this.#options.maxDatabases ?? MAX_DATABASES;
  }

  get #maxBytes(): number {
    return this.#options.maxBytes ?? MAX_BYTES;
  }

  #limits(): string {
    return `${this.#maxDatabases} databases and ${Math.round(this.#maxBytes / 1024 ** 2)} MB`;
  }
}

/** Ends every session of a database and lets no new one in. */
async function emptied(client: Client, database: string): Promise<void> {
  // -2: a drop of it was cut off, and nothing but another drop can be done with it.
  const there = "SELECT 1 FROM pg_database WHERE datname = $1 AND datconnlimit <> -2";
  if ((await client.query(there, [database])).rowCount === 0) return;
  await client.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS false`);
  const deadline = performance.now() + LONGEST_END_MILLISECONDS;
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
      WHERE datname = $1 AND NOT rolsuper`,
    [database],
  );
  for (;;) {
    const { rows } = await client.query<{ n: number }>(
      // An autovacuum worker makes way by itself.
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'",
      [database],
    );
    if (rows[0]?.n === 0) return;
    if (performance.now() > deadline) throw new Error(`a session in database ${database} does not end`);
    await delay(1);
  }
}

/** The advisory lock that stands for the making of a database. */
function lockOf(name: string): string {
  return `hashtextextended('pgstack test database ' || ${name}, 0)`;
}

function unknownLease(lease: string): UserError {
  return new UserError(`there is no lease ${lease}, or it has expired`);
}
