import { randomUUID } from "node:crypto";
import { identifier } from "../sql.ts";
import { isOurs, MARK, TEST_PREFIX } from "./names.ts";

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

/** Runs one statement as the administrator, in the database `postgres`. */
export type Query = <Row extends object>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** The table of the leases. */
export const LEASES = "pgstack_test.leases";

const BYTES_OF = "pgstack_test.bytes_of";
const RESERVE = "pgstack_test.reserve";
/**
 * The transaction's commit does not wait for the disk. What a crash then loses is a copy that nobody was given: the next sweep
 * drops it. Who gives one out waits, and all that was before with it.
 * https://www.postgresql.org/docs/16/wal-async-commit.html
 */
const NOT_WAITING = "set_config('synchronous_commit', 'off', true)";

/** What makes the table and the functions beside it, for the superuser; they may be there. */
export function makeLeaseTable(administrator: string): string {
  const role = identifier(administrator);
  return `SELECT pg_advisory_lock(7205759404);
CREATE SCHEMA IF NOT EXISTS pgstack_test;
CREATE TABLE IF NOT EXISTS ${LEASES} (
  database text PRIMARY KEY,
  key text NOT NULL,
  state text NOT NULL CHECK (state IN ('making', 'ready', 'leased', 'dirty')),
  lease text UNIQUE,
  until timestamptz,
  taken_by text
);
GRANT USAGE ON SCHEMA pgstack_test TO ${role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ${LEASES} TO ${role};
-- PostgreSQL's own function fails for a database that is dropped between being listed and being looked at.
CREATE OR REPLACE FUNCTION ${BYTES_OF}(database oid) RETURNS bigint LANGUAGE plpgsql AS $bytes$
BEGIN
  RETURN pg_database_size(database);
EXCEPTION WHEN invalid_catalog_name OR undefined_object THEN
  RETURN NULL;
END
$bytes$;
CREATE OR REPLACE FUNCTION ${RESERVE}(new_database text, template_key text, most bigint) RETURNS boolean LANGUAGE plpgsql AS $reserve$
BEGIN
  -- One after the other: of two that count at once, each would find the last place.
  PERFORM pg_advisory_xact_lock(7205759406);
  IF (SELECT count(*) FROM ${LEASES}) >= most THEN RETURN false; END IF;
  INSERT INTO ${LEASES} (database, key, state) VALUES (new_database, template_key, 'making');
  PERFORM pg_advisory_lock(${lockOf("new_database")}), ${NOT_WAITING};
  RETURN true;
END
$reserve$;`;
}

/**
 * Which databases there are and who has them: a table in the cluster, so that several processes share it, and a killed one
 * leaves it whole. Each change is one statement.
 */
export class LeaseTable {
  readonly #query: Query;
  /** Of the template whose copies are given out. */
  readonly #key: string;

  constructor(query: Query, key: string) {
    this.#query = query;
    this.#key = key;
  }

  /** Gives a ready database out; undefined when none is ready. */
  async claim(seconds: number, takenBy: string): Promise<Lease | undefined> {
    const lease = randomUUID();
    const [row] = await this.#query<{ database: string; until: string }>(
      `UPDATE ${LEASES} SET state = 'leased', lease = $1, until = now() + $2 * interval '1 second', taken_by = $3
        WHERE database = (SELECT database FROM ${LEASES} WHERE key = $4 AND state = 'ready' ORDER BY database LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING database, until::text`,
      [lease, seconds, takenBy, this.#key],
    );
    return row && { lease, database: row.database, expiresAt: new Date(row.until).toISOString() };
  }

  /** Takes a database back; false when there is no such lease. */
  async giveBack(lease: string): Promise<boolean> {
    const rows = await this.#query<{ database: string }>(
      `UPDATE ${LEASES} SET state = 'dirty', lease = NULL, until = NULL WHERE lease = $1 RETURNING database`,
      [lease],
    );
    return rows.length > 0;
  }

  async list(): Promise<PoolEntry[]> {
    return await this.#query<PoolEntry>(
      `SELECT database, state, lease, to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "expiresAt", taken_by AS "takenBy"
         FROM ${LEASES} ORDER BY state, database`,
    );
  }

  async countReady(): Promise<number> {
    const [row] = await this.#query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${LEASES} WHERE key = $1 AND state = 'ready'`,
      [this.#key],
    );
    return row?.n ?? 0;
  }

  /**
   * Reserves room for one more copy; false where as many are there as may be. This session then holds the copy's advisory lock
   * as long as it is at it: a process that was killed is told by it.
   */
  async reserve(database: string, most: number): Promise<boolean> {
    const [row] = await this.#query<{ reserved: boolean }>(`SELECT ${RESERVE}($1, $2, $3) AS reserved`, [
      ...[database, this.#key, most],
    ]);
    return row?.reserved === true;
  }

  /** What was reserved is made; its lock is let go. */
  async markReady(database: string): Promise<void> {
    await this.#query(
      `UPDATE ${LEASES} SET state = 'ready' WHERE database = $1 RETURNING pg_advisory_unlock(${lockOf("database")}), ${NOT_WAITING}`,
      [database],
    );
  }

  /** Databases that somebody has and nobody can connect to: they are being exchanged, or that was cut off. */
  async closed(): Promise<string[]> {
    const found = await this.#query<{ database: string }>(
      `SELECT database FROM ${LEASES} JOIN pg_database ON datname = database WHERE state = 'leased' AND NOT datallowconn`,
    );
    return found.map(({ database }) => database);
  }

  /** Takes back the copy that a cut off exchange of this database had taken for it. */
  async takeBackCopyFor(database: string): Promise<void> {
    await this.#query(
      `UPDATE ${LEASES} SET state = 'dirty', lease = NULL, until = NULL
        WHERE state = 'leased' AND taken_by = 'reset of ' || (SELECT lease FROM ${LEASES} WHERE database = $1)`,
      [database],
    );
  }

  /** How many databases there are, and how many bytes they have by now. */
  async measure(): Promise<{ databases: number; bytes: number }> {
    const [row] = await this.#query<{ databases: number; bytes: number }>(
      `SELECT count(bytes)::int AS databases, coalesce(sum(bytes), 0)::float8 AS bytes
         FROM ${LEASES} JOIN pg_database ON datname = database, ${BYTES_OF}(oid) AS bytes`,
    );
    return row ?? { databases: 0, bytes: 0 };
  }

  async forget(database: string): Promise<void> {
    await this.#query(`DELETE FROM ${LEASES} WHERE database = $1`, [database]);
  }

  /** What is ready is thrown away: its snapshot was made anew. */
  async dismiss(): Promise<void> {
    await this.#query(`UPDATE ${LEASES} SET state = 'dirty' WHERE state = 'ready' AND key = $1`, [this.#key]);
  }

  /** What other snapshots have ready makes way. */
  async dismissOthers(): Promise<void> {
    await this.#query(`UPDATE ${LEASES} SET state = 'dirty' WHERE state = 'ready' AND key <> $1`, [
      this.#key,
    ]);
  }

  /**
   * The databases that are to go: what was given back, what has expired, what is over the limit, and what killed processes
   * have left.
   */
  async sweep(mostDatabases: number): Promise<string[]> {
    await this.#query(
      `UPDATE ${LEASES} SET state = 'dirty', lease = NULL
        WHERE (state = 'leased' AND until < now())
           OR (state = 'making' AND pg_try_advisory_xact_lock(${lockOf("database")}))
           -- The state once more: what is given out while this waits for its row is nobody's to throw away.
           OR (state = 'ready' AND database IN (SELECT database FROM ${LEASES} WHERE state = 'ready' ORDER BY database
                 LIMIT greatest(0, (SELECT count(*) FROM ${LEASES} WHERE state <> 'dirty') - $1)))`,
      [mostDatabases],
    );
    const found = await this.#query<{ database: string }>(
      `SELECT database FROM ${LEASES} WHERE state = 'dirty' UNION
       SELECT datname FROM pg_database d WHERE ${isOurs(TEST_PREFIX, MARK)}
          AND NOT EXISTS (SELECT FROM ${LEASES} WHERE database = datname)`,
    );
    return found.map(({ database }) => database);
  }
}

/** The advisory lock of whoever makes, exchanges or drops a database; it is free when that one was killed. */
export function lockOf(name: string): string {
  return `hashtextextended('pgstack test database ' || ${name}, 0)`;
}
