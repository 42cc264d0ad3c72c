import type { Client } from "pg";
import { identifier, literal } from "../sql.ts";

const LONGEST_END_MILLISECONDS = 10_000;

/** Ends every session of a database and lets no new one in. */
export async function emptied(client: Client, database: string): Promise<void> {
  // -2: a drop of it was cut off, and nothing but another drop can be done with it.
  const there = "SELECT 1 FROM pg_database WHERE datname = $1 AND datconnlimit <> -2";
  if ((await client.query(there, [database])).rowCount === 0) return;
  await client.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS false`);
  await client.query(endSessions(database));
}

/**
 * SQL that ends every session of a database and returns when the last one has ended. It waits in the server: each question
 * from here would take longer than most sessions take to end.
 */
export function endSessions(database: string): string {
  const name = literal(database);
  // The view pg_stat_activity joins two catalogs for names that nobody asks for here.
  return `DO $wait$
DECLARE
  closed oid := (SELECT oid FROM pg_database WHERE datname = ${name});
BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL)
    WHERE datid = closed AND usesysid NOT IN (SELECT oid FROM pg_roles WHERE rolsuper);
  FOR i IN 1..${LONGEST_END_MILLISECONDS * 2} LOOP
    PERFORM pg_stat_clear_snapshot();
    -- An autovacuum worker makes way by itself.
    IF NOT EXISTS (SELECT FROM pg_stat_get_activity(NULL) WHERE datid = closed AND backend_type = 'client backend') THEN RETURN; END IF;
    PERFORM pg_sleep(0.0005);
  END LOOP;
  RAISE EXCEPTION 'a session in database % does not end', ${name};
END
$wait$`;
}
