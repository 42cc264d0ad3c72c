import type { Client } from "pg";
import { UserError } from "../user-error.ts";
import { RUN } from "./history.ts";

/**
 * Lets one run at a time apply migrations. The holder is a row that only the administrator can write, and holds as long
 * as its session lives: an advisory lock anybody could take, and keep for ever.
 *
 * @returns How to let go.
 * @throws UserError naming the session that is at it.
 */
export async function takeTurn(client: Client): Promise<() => Promise<void>> {
  await client.query("BEGIN");
  try {
    await client.query(`LOCK TABLE ${RUN} IN EXCLUSIVE MODE`);
    const { rows } = await client.query<Session>(
      `${SESSIONS} JOIN ${RUN} AS r ON r.pid = a.pid AND r.started = a.backend_start WHERE a.pid <> pg_backend_pid()`,
    );
    const [holder] = rows;
    if (holder !== undefined) {
      throw new UserError(
        `another run of migrations is at work (${sessionWords(holder)}): wait until it has ended`,
      );
    }
    await client.query(
      `WITH gone AS (DELETE FROM ${RUN})
       INSERT INTO ${RUN} SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
    );
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
  return async () => {
    // A session that is gone has let go.
    await client.query(`DELETE FROM ${RUN} WHERE pid = pg_backend_pid()`).catch(() => {});
  };
}

/** The sessions with the oldest transactions of this database, which are the ones that others wait for; in words. */
export async function longTransactions(client: Client): Promise<string> {
  const { rows } = await client.query<Session>(
    `${SESSIONS} WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
      AND a.xact_start < clock_timestamp() - interval '1 second' ORDER BY a.xact_start LIMIT 3`,
  );
  return rows.length === 0 ? "" : `; the oldest transactions: ${rows.map(sessionWords).join("; ")}`;
}

interface Session {
  readonly pid: number;
  readonly role: string | null;
  readonly program: string | null;
  readonly since: string;
}

const SESSIONS = `SELECT a.pid, a.usename AS role, a.application_name AS program,
       to_char(coalesce(a.xact_start, a.backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
  FROM pg_stat_activity a`;

function sessionWords({ pid, role, program, since }: Session): string {
  return `process ${pid}, role ${JSON.stringify(role)}, program ${JSON.stringify(program)}, since ${since}`;
}
