import { identifier } from "../sql.ts";
import { endSessions } from "./end-sessions.ts";

/** Tables of a copy that are read before it is given out. */
const MOST_TABLES = 200;
/** Below are the server's own: https://www.postgresql.org/docs/16/system-catalog-initial-data.html */
const FIRST_NORMAL_OID = 16_384;

/**
 * Lines for psql that have a session of its own read what a taker's first session and first query read, and wait until it has
 * ended: it would be in a reset's way.
 *
 * Reading a table evaluates what its indexes say. In a function that is the administrator's by SECURITY DEFINER, that has the
 * administrator's rights, and no SET ROLE leads out of it; what it does is undone.
 */
export function warmUp(database: string, administrator: string): string {
  const catalogs =
    "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid;";
  const tables = `BEGIN;
CREATE FUNCTION pg_temp.warm_up() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $warm$
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
$warm$;
ALTER FUNCTION pg_temp.warm_up() OWNER TO ${identifier(administrator)};
SELECT pg_temp.warm_up();
ROLLBACK;`;
  return `\n\\connect ${identifier(database)}\n${catalogs}\n${tables}\n\\connect postgres\n${endSessions(database)};`;
}
