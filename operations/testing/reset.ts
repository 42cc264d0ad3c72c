import { identifier, literal } from "../sql.ts";
import { psql, runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { copyScript } from "./copy.ts";
import { isOurs, MARK, OLD_PREFIX, oldName, READY, spareName, sparePrefix } from "./names.ts";
import type { Template } from "./template.ts";

/** Any number will do, as long as every reset takes the same. */
const LOCK = 7_205_759_403;
/** Sessions that were told to end are gone within this, or something holds them. */
const LONGEST_END_SECONDS = 10;

/** What a reset did. */
export interface Reset {
  /** Milliseconds on the server in which no new session could be had. */
  readonly closedMilliseconds: number;
  /** Sessions that were ended. */
  readonly endedSessions: number;
}

/**
 * Puts a fresh copy of a template in the place of a database: the copy is made beside it unless one is ready, the sessions
 * are ended, and two renames in one transaction exchange the two. Cut off at any place, the next reset goes on.
 *
 * The copy gets what PostgreSQL leaves out of one: access list, limit of connections, settings of the database and of roles
 * in it.
 */
export async function resetDatabase(target: Target, template: Template): Promise<Reset> {
  let output: string;
  try {
    output = await psql(target, swapScript(target.database, template), { timeoutMilliseconds: 0 });
  } catch (error) {
    // What failed before the exchange must not leave the database closed.
    const name = literal(target.database);
    await runAsSuperuser(
      target,
      `SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true', datname) FROM pg_database WHERE datname = ${name} \\gexec\n`,
    );
    throw error;
  }
  const [milliseconds = "", ended = ""] = output.trim().split("\n").at(-1)?.split("|") ?? [];
  return { closedMilliseconds: Number(milliseconds), endedSessions: Number(ended) };
}

/** Removes replaced databases, and has a copy ready for the next reset. */
export async function tidy(target: Target, template: Template): Promise<void> {
  await runAsSuperuser(
    target,
    `SELECT pg_advisory_lock(${LOCK});
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', d.datname) FROM pg_database d WHERE ${isOurs(OLD_PREFIX, MARK)} \\gexec
${findSpare(template)}
`,
    { timeoutMilliseconds: 0 },
  );
}

/** Sets psql's variable `spare` to a ready copy, made now where there is none. */
function findSpare(template: Template): string {
  const fresh = spareName(template.key);
  const ours = isOurs(sparePrefix(template.key), READY);
  const comment = "shobj_description(d.oid, 'pg_database')";
  // A copy that bears no comment was cut off before it had everything.
  return `SELECT format('DROP DATABASE %I', datname) FROM pg_database d
  WHERE ${ours} AND ${comment} IS NULL \\gexec
SELECT coalesce((SELECT datname FROM pg_database d WHERE ${ours} AND ${comment} IS NOT NULL ORDER BY 1 LIMIT 1), '') AS spare \\gset
SELECT :'spare' = '' AS none \\gset
\\if :none
${copyScript(template, { to: fresh, mark: READY })}
\\set spare ${fresh}
\\endif`;
}

function swapScript(database: string, template: Template): string {
  const name = identifier(database);
  const old = oldName();
  return `SELECT pg_advisory_lock(${LOCK});
${findSpare(template)}
SELECT EXISTS (SELECT FROM pg_database WHERE datname = ${literal(database)}) AS there \\gset
SELECT clock_timestamp() AS began \\gset
\\if :there
ALTER DATABASE ${name} ALLOW_CONNECTIONS false;
\\endif
SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity WHERE datname = ${literal(database)} \\gset
DO $wait$
BEGIN
  FOR i IN 1..${LONGEST_END_SECONDS * 1_000} LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = ${literal(database)});
    PERFORM pg_sleep(0.001);
  END LOOP;
END
$wait$;
BEGIN;
\\if :there
ALTER DATABASE ${name} RENAME TO ${identifier(old)};
COMMENT ON DATABASE ${identifier(old)} IS ${literal(MARK)};
\\endif
COMMENT ON DATABASE :"spare" IS NULL;
ALTER DATABASE :"spare" ALLOW_CONNECTIONS true;
ALTER DATABASE :"spare" RENAME TO ${name};
COMMIT;
SELECT round(extract(epoch FROM clock_timestamp() - :'began'::timestamptz) * 1000, 1) || '|' || :'ended';
`;
}
