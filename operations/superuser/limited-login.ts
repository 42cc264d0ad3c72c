import {
  ABANDONED_LOGIN,
  createLimitedLogin,
  dropLimitedLogin,
  type LimitedLogin,
  limitedLogins,
  newLimitedLogin,
} from "../../agent/limited-login.ts";
import type { Login } from "../../agent/sql.ts";
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
    await drop(target, { name: login.role, databases: [database] }).catch(() => {});
  }
}

async function dropAbandoned(target: Target): Promise<void> {
  const found = await queryAsSuperuser<LimitedLogin>(target, limitedLogins(ABANDONED_LOGIN));
  for (const login of found) await drop(target, login);
}

async function drop(target: Target, login: LimitedLogin): Promise<void> {
  for (const { database, sql } of dropLimitedLogin(login)) await runAsSuperuser(target, sql, { database });
}
