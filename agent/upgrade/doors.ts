import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { withLimitedLogin } from "../limited-login.ts";
import { type Login, psql, query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";

/** Limit of connections of a closed database that a limited login is let in to, and nobody else. */
const ADMITTING = 1_886_609_269;

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

/** Whether others than superusers, and what is at work for an upgrade, may connect to a database. */
export async function isOpen(server: Server, database: string): Promise<boolean> {
  const [row] = await query<{ open: boolean }>(
    server,
    `SELECT datallowconn AND datconnlimit NOT IN (0, ${ADMITTING}) AS open FROM pg_database WHERE datname = ${quoteLiteral(database)}`,
  );
  return row?.open === true;
}

/** A database's list of grants as the catalogue has it; null: the default. */
export async function grantsOf(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<string | null> {
  const sql = `SELECT datacl::text AS grants FROM pg_database WHERE datname = ${quoteLiteral(database)}`;
  return (await query<{ grants: string | null }>(server, sql, { signal }))[0]?.grants ?? null;
}

/**
 * Runs work with a login that is not superuser and that a closed database lets in, nobody else. It is closed again as it was.
 *
 * @param grants The database's own: kept by the caller, as {@link open} has to put them back where this is interrupted.
 */
export async function admitting<Value>(
  server: Server,
  {
    stack,
    database,
    grants,
  }: { readonly stack: string; readonly database: string; readonly grants: string | null },
  context: Pick<Context, "signal">,
  work: (login: Login) => Promise<Value>,
): Promise<Value> {
  return withLimitedLogin(server, { stack }, context, async (login) => {
    await setDoor(
      server,
      database,
      ADMITTING,
      `(SELECT ARRAY[makeaclitem(oid, 10, 'CONNECT,CREATE,TEMPORARY', false)] FROM pg_roles WHERE rolname = ${quoteLiteral(login.role)})`,
    );
    try {
      return await work(login);
    } finally {
      await setDoor(server, database, 0, aclOf(grants));
    }
  });
}

/**
 * Lets everyone in again.
 *
 * @param grants The database's own, where it may have let in a login only.
 */
export async function open(
  server: Server,
  database: string,
  connectionLimit: number,
  grants?: string | null,
): Promise<void> {
  if (grants !== undefined) return setDoor(server, database, connectionLimit, aclOf(grants));
  await psql(
    server,
    `ALTER DATABASE ${quoteIdentifier(database)} CONNECTION LIMIT ${Math.trunc(connectionLimit)};`,
  );
}

function aclOf(grants: string | null): string {
  return grants === null ? "NULL" : `${quoteLiteral(grants)}::aclitem[]`;
}

/** Both at once and without a trace in the list of grants, whatever interrupts it. */
async function setDoor(server: Server, database: string, limit: number, acl: string): Promise<void> {
  await psql(
    server,
    `UPDATE pg_database SET datconnlimit = ${Math.trunc(limit)}, datacl = ${acl} WHERE datname = ${quoteLiteral(database)};`,
  );
}
