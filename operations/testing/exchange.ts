import { randomUUID } from "node:crypto";
import { END_SESSIONS } from "./end-sessions.ts";
import { LEASES, type Lease, lockOf, type Query } from "./lease-table.ts";

const EXCHANGE = "pgstack_test.exchange";
const UNDO = "pgstack_test.undo_exchange";
/** A copy that is taken for a reset is in its place long before. */
const SECONDS = 60;
const LOCK = lockOf("given");

/** What makes the procedures, for the superuser; former ones are replaced. */
export const MAKE_EXCHANGE = `CREATE OR REPLACE PROCEDURE ${EXCHANGE}(
  held_lease text, fresh_lease text, template_key text, former_name text,
  INOUT given text, INOUT expires timestamptz, INOUT fresh text
) LANGUAGE plpgsql AS $exchange$
DECLARE
  closed oid;
BEGIN
  SELECT database, until, oid INTO given, expires, closed
    FROM ${LEASES} JOIN pg_database ON datname = database WHERE lease = held_lease AND until > now();
  IF given IS NULL THEN RETURN; END IF;
  UPDATE ${LEASES} SET state = 'leased', lease = fresh_lease, until = now() + interval '${SECONDS} seconds', taken_by = 'reset of ' || held_lease
    WHERE database = (SELECT database FROM ${LEASES} WHERE key = template_key AND state = 'ready' ORDER BY database LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING database INTO fresh;
  IF fresh IS NULL THEN RETURN; END IF;
  -- Held to the end: who finds the database closed and this free knows that an exchange was cut off.
  PERFORM pg_advisory_xact_lock(${LOCK});
  EXECUTE format('ALTER DATABASE %I ALLOW_CONNECTIONS false', given);
  -- New sessions see that it is closed only when that is committed; over the commit the session has the lock.
  PERFORM pg_advisory_lock(${LOCK});
  COMMIT;
  PERFORM pg_advisory_xact_lock(${LOCK});
  PERFORM pg_advisory_unlock(${LOCK});
  ${END_SESSIONS}
  EXECUTE format('ALTER DATABASE %I RENAME TO %I', given, former_name);
  EXECUTE format('ALTER DATABASE %I RENAME TO %I', fresh, given);
  UPDATE ${LEASES} SET state = 'dirty', lease = NULL, until = NULL, database = former_name WHERE lease = fresh_lease;
END
$exchange$;
CREATE OR REPLACE PROCEDURE ${UNDO}(held_lease text, fresh_lease text) LANGUAGE plpgsql AS $undo$
DECLARE
  given text := (SELECT database FROM ${LEASES} WHERE lease = held_lease);
BEGIN
  UPDATE ${LEASES} SET state = 'dirty', lease = NULL, until = NULL WHERE lease = fresh_lease;
  IF given IS NOT NULL THEN EXECUTE format('ALTER DATABASE %I ALLOW_CONNECTIONS true', given); END IF;
END
$undo$;`;

/** What became of an exchange. */
export interface Exchange {
  /** The leased database; undefined where there is no such lease. */
  readonly held: Lease | undefined;
  /** Whether a ready copy is in its place; false where none is ready. */
  readonly done: boolean;
}

/**
 * Puts a ready copy in the place of a leased database, whose sessions are ended, and gives the database that was there back
 * under another name: in one request to the server, for a taker waits for every one of them.
 *
 * @throws where a session does not end or the server fails; the database is open again then, with what it held.
 */
export async function exchange(
  query: Query,
  { lease, key, former }: { readonly lease: string; readonly key: string; readonly former: string },
): Promise<Exchange> {
  const fresh = randomUUID();
  interface Row {
    readonly given: string | null;
    readonly expires: Date;
    readonly fresh: string | null;
  }
  try {
    const [row] = await query<Row>(`CALL ${EXCHANGE}($1, $2, $3, $4, NULL, NULL, NULL)`, [
      ...[lease, fresh, key, former],
    ]);
    const held = row?.given
      ? { lease, database: row.given, expiresAt: row.expires.toISOString() }
      : undefined;
    return { held, done: typeof row?.fresh === "string" };
  } catch (error) {
    await query(`CALL ${UNDO}($1, $2)`, [lease, fresh]);
    throw error;
  }
}
