import { quoteIdentifier, quoteLiteral } from "./sql.ts";

/**
 * Limit of connections that a database of the stack's own is created with, closed. It stands for the mark from the database's
 * first moment until its comment is written: nobody chooses this number, and a closed database holds nobody's data.
 */
const UNMARKED_LIMIT = 1_886_609_267;

/** Options of CREATE DATABASE for a database that gets its mark by {@link setMark} next. */
export const CREATED_UNMARKED = `ALLOW_CONNECTIONS false CONNECTION LIMIT ${UNMARKED_LIMIT}`;

/** Marks a database as one that may be dropped. */
export function setMark(database: string, mark: string): string {
  return `COMMENT ON DATABASE ${quoteIdentifier(database)} IS ${quoteLiteral(mark)};`;
}

/**
 * SQL, a statement a line, that creates a database which bears the mark even when it is interrupted at any place.
 *
 * @param options Of CREATE DATABASE, beside those for connections.
 */
export function createMarked(database: string, mark: string, options = "TEMPLATE template0"): string {
  const name = quoteIdentifier(database);
  return `CREATE DATABASE ${name} ${options} ${CREATED_UNMARKED};
${setMark(database, mark)}
ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1;
`;
}

/** A condition on the row `d` of pg_database: whether it is a database that was made with this mark. */
export function bearsMark(mark: string): string {
  const comment = "shobj_description(d.oid, 'pg_database')";
  return `coalesce(${comment} = ${quoteLiteral(mark)}, NOT d.datallowconn AND d.datconnlimit = ${UNMARKED_LIMIT})`;
}

/** Lines for psql that drop a database if it bears the mark; any other of that name stays. */
export function dropMarked(database: string, mark: string): string {
  const marked = `FROM pg_database d WHERE d.datname = ${quoteLiteral(database)} AND ${bearsMark(mark)}`;
  // Written first where it is missing: an interrupted DROP DATABASE overwrites the limit.
  return `SELECT format('COMMENT ON DATABASE %I IS %L', d.datname, ${quoteLiteral(mark)}) ${marked}
  AND shobj_description(d.oid, 'pg_database') IS NULL \\gexec
SELECT format('DROP DATABASE %I WITH (FORCE)', d.datname) ${marked} \\gexec
`;
}
