import {
  ABANDONED_LOGIN,
  createLimitedLogin,
  dropOwned,
  newLimitedLogin,
} from "../../agent/limited-login.ts";
import type { Login } from "../../agent/sql.ts";
import { identifier, literal } from "../sql.ts";
import { queryAsSuperuser, runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";

/** What a killed run has left goes then. */
const VALID_HOURS = 12;

/**
 * Runs work with a login that is not superuser, for SQL that may reach what the administrator has made: from a superuser's
 * session that has only taken a role, SET ROLE leads back. It is made for the run, with a password of its own, and dropped
 * after it; what a killed run has left, a later one drops.
 *
 * @param database What it works in.
 */
export async function withLimitedLogin<Value>(
  target: Target,
  database: string,
  work: (login: Login) => Promise<Value>,
): Promise<Value> {
  // One that cannot be dropped is in nobody's way; a server that is away is told by the next statement.
  await dropAbandoned(target).catch(() => {});
  // Not the agent's, which drops its own at each run.
  const login = newLimitedLogin(`${target.stack} operations`);
  try {
    await runAsSuperuser(target, createLimitedLogin(login, [database], VALID_HOURS));
    return await work(login);
  } finally {
    // A server that is gone has no use for it.
    await drop(target, login.role, [database]).catch(() => {});
  }
}

async function dropAbandoned(target: Target): Promise<void> {
  const found = await queryAsSuperuser<{ name: string; databases: string[] }>(
    target,
    `SELECT r.rolname AS name, ARRAY(SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
              WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid AND d.datallowconn) AS databases
       FROM pg_roles r
      WHERE ${ABANDONED_LOGIN}`,
  );
  for (const { name, databases } of found) await drop(target, name, databases);
}

async function drop(target: Target, role: string, databases: readonly string[]): Promise<void> {
  const end = `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ${literal(role)};`;
  await runAsSuperuser(target, end);
  // What is shared, as the grants on databases, goes with each.
  for (const database of new Set([...databases, "postgres"]))
    await runAsSuperuser(target, dropOwned(role), { database });
  await runAsSuperuser(target, `DROP ROLE IF EXISTS ${identifier(role)};`);
}
