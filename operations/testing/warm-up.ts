import { identifier } from "../sql.ts";
import { endSessions } from "./end-sessions.ts";

/** Tables of a copy that are read before it is given out. */
const MOST_TABLES = 200;
/** Below are the server's own: https://www.postgresql.org/docs/16/system-catalog-initial-data.html */
const FIRST_NORMAL_OID = 16_384;

/**
 * Lines for psql that have a session of its own read what a taker's first session and first query read, and wait until it has
 * ended: it would be in a reset's way.
 */
export function warmUp(database: string): string {
  const catalogs =
    "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid;";
  const tables = `DO $warm$
DECLARE
  one regclass;
BEGIN
  FOR one IN SELECT oid FROM pg_class WHERE relkind = 'r' AND oid >= ${FIRST_NORMAL_OID} ORDER BY oid LIMIT ${MOST_TABLES} LOOP
    -- A table that cannot be read is its taker's to find out.
    BEGIN
      EXECUTE format('SELECT FROM ONLY %s LIMIT 1', one);
    EXCEPTION WHEN OTHERS THEN
    END;
  END LOOP;
END
$warm$;`;
  return `\n\\connect ${identifier(database)}\n${catalogs}\n${tables}\n\\connect postgres\n${endSessions(database)};`;
}
