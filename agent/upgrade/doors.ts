import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { psql, query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";

/**
 * Closes a database to everyone but superusers, and ends the sessions that it has: nothing is written to it any more. It
 * stays closed over restarts.
 */
export async function close(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  await psql(server, `ALTER DATABASE ${quoteIdentifier(database)} CONNECTION LIMIT 0;`, { signal });
  const sessions = `pg_stat_activity
      WHERE datname = ${quoteLiteral(database)} AND backend_type IN ('client backend', 'autovacuum worker') AND pid <> pg_backend_pid()`;
  await query(server, `SELECT pg_terminate_backend(pid, 10000) FROM ${sessions}`, { signal });
  // Looked at anew: one that ended by itself in the meantime could not be told to, and is no failure.
  const left = await query<{ pid: number }>(server, `SELECT pid FROM ${sessions}`, { signal });
  if (left.length > 0) throw new Refusal(`a session in database ${database} does not end`);
}

/** Whether others than superusers may connect to a database. */
export async function isOpen(server: Server, database: string): Promise<boolean> {
  const [row] = await query<{ open: boolean }>(
    server,
    `SELECT datallowconn AND datconnlimit <> 0 AS open FROM pg_database WHERE datname = ${quoteLiteral(database)}`,
  );
  return row?.open === true;
}

/** Lets everyone in again. */
export async function open(server: Server, database: string, connectionLimit: number): Promise<void> {
  await psql(
    server,
    `ALTER DATABASE ${quoteIdentifier(database)} CONNECTION LIMIT ${Math.trunc(connectionLimit)};`,
  );
}
