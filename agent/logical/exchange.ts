import { randomUUID } from "node:crypto";
import type { Context } from "../context.ts";
import { messageOf, Refusal } from "../failure.ts";
import { psql, query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";

/** Databases that change places. */
export interface Places {
  /** In use; it is then closed, under the name `before`. */
  readonly database: string;
  /** Takes the name of the one in use. */
  readonly beside: string;
  readonly before: string;
  /** Statements about the database that is put in use, under its final name. */
  readonly properties: string;
}

/** A session that was told to end and has not ended when the server gives up waiting, 5 s later, is told again. */
const TRIES = 3;
const IN_USE = /is being accessed by other users/;

/**
 * Puts a database in the place of the one in use, in one transaction: whatever interrupts it, either of them is in use and takes
 * connections. Sessions of both are ended only when nobody new comes in, and that is so until the transaction ends: who
 * connects meanwhile waits.
 *
 * @throws Refusal when a session does not end; nothing was changed then.
 */
export async function exchange(
  server: Server,
  places: Places,
  context: Pick<Context, "signal">,
): Promise<void> {
  for (let left = TRIES; ; left -= 1) {
    try {
      await tryExchange(server, places, context);
      return;
    } catch (error) {
      context.signal.throwIfAborted();
      if (!IN_USE.test(messageOf(error))) throw error;
      if (left === 1) {
        throw new Refusal(`nothing was changed: a session in database ${places.database} does not end`);
      }
    }
  }
}

async function tryExchange(
  server: Server,
  { database, beside, before, properties }: Places,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const name = quoteIdentifier(database);
  const applicationName = `pgstack exchange ${randomUUID()}`;
  // The first rename locks the database against new sessions, and then waits for those that it has.
  const renames = psql(
    server,
    `SET application_name = ${quoteLiteral(applicationName)};
     BEGIN;
     ALTER DATABASE ${name} RENAME TO ${quoteIdentifier(before)};
     ALTER DATABASE ${quoteIdentifier(before)} ALLOW_CONNECTIONS false;
     ALTER DATABASE ${quoteIdentifier(beside)} RENAME TO ${name};
     COMMENT ON DATABASE ${name} IS NULL;
     ${properties}
     COMMIT;`,
    { signal },
  );
  const over = new AbortController();
  const ending = endSessionsOnceLocked(server, { database, beside, applicationName }, over.signal);
  try {
    await renames;
  } finally {
    over.abort();
    await ending.catch(() => {});
  }
}

/** Ends the sessions of both databases as soon as the session of that name has locked the one in use. */
async function endSessionsOnceLocked(
  server: Server,
  {
    database,
    beside,
    applicationName,
  }: Pick<Places, "database" | "beside"> & { readonly applicationName: string },
  signal: AbortSignal,
): Promise<void> {
  const [row] = await query<{ oid: string }>(
    server,
    `SELECT oid::text FROM pg_database WHERE datname = ${quoteLiteral(database)}`,
    { signal },
  );
  await psql(
    server,
    // Checked often: when this program is gone, the loop ends as well.
    `SET client_connection_check_interval = '100ms';
     DO $end$
     BEGIN
       LOOP
         EXIT WHEN EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
           WHERE a.application_name = ${quoteLiteral(applicationName)} AND l.granted AND l.mode = 'AccessExclusiveLock'
             AND l.locktype = 'object' AND l.classid = 'pg_database'::regclass AND l.objid = ${Number(row?.oid ?? 0)});
         PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
       END LOOP;
       PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname IN (${quoteLiteral(database)}, ${quoteLiteral(beside)}) AND pid <> pg_backend_pid();
     END
     $end$;`,
    { signal },
  );
}
