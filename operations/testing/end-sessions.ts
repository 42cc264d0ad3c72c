import type { Client } from "pg";
import { identifier, literal } from "../sql.ts";

const LONGEST_END_SECONDS = 10;

/** Ends every session of a database and lets no new one in. */
export async function emptied(client: Client, database: string): Promise<void> {
  // -2: a drop of it was cut off, and nothing but another drop can be done with it.
  const there = "SELECT 1 FROM pg_database WHERE datname = $1 AND datconnlimit <> -2";
  if ((await client.query(there, [database])).rowCount === 0) return;
  await client.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS false`);
  await client.query(endSessions(database));
}

/**
 * Statements of PL/pgSQL that end every session of the database `closed` and go on when the last one has ended. They wait in
 * the server: each question from here would take longer than most sessions take to end.
 */
// The view pg_stat_activity joins two catalogs for names that nobody asks for here.
export const END_SESSIONS = `PERFORM pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL)
    WHERE datid = closed AND usesysid NOT IN (SELECT oid FROM pg_roles WHERE rolsuper);
  LOOP
    PERFORM pg_stat_clear_snapshot();
    -- An autovacuum worker makes way by itself.
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_get_activity(NULL) WHERE datid = closed AND backend_type = 'client backend');
    IF clock_timestamp() > statement_timestamp() + interval '${LONGEST_END_SECONDS} seconds' THEN
      RAISE EXCEPTION 'a session in database % does not end', (SELECT quote_ident(datname) FROM pg_database WHERE oid = closed);
    END IF;
    PERFORM pg_sleep(0.0005);
  END LOOP;`;

/** SQL that ends every session of a database and returns when the last one has ended. */
export function endSessions(database: string): string {
  return `DO $wait$
DECLARE
  closed oid := (SELECT oid FROM pg_database WHERE datname = ${literal(database)});
BEGIN
  ${END_SESSIONS}
END
$wait$`;
}
