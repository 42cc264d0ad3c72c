import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { messageOf, Refusal } from "./failure.ts";
import { type Login, psql, query, quoteIdentifier, quoteLiteral, type Server } from "./sql.ts";

/** What the names of all limited logins begin with; pg_hba.conf lets them in by the socket alone. */
export const LIMITED_LOGIN_PREFIX = "pgstack_limited_";

/** The longest load of a dump is over by then. */
const VALID_HOURS = 168;
const SCRAM_ITERATIONS = 4096;
/** Waiting for a session of a killed run to end. */
const END_MILLISECONDS = 5_000;

/** A recursive table for a WITH clause: which roles each role is, itself or by any membership. */
export const REACH = `reach AS (
    SELECT oid AS member, oid AS role FROM pg_roles
    UNION SELECT r.member, m.roleid FROM reach r JOIN pg_auth_members m ON m.member = r.role)`;

/**
 * SQL for the names of the roles that are no more than the administrator could become: no superuser, none that copies the
 * cluster, reads or writes files, runs programs or subscribes, itself or by any membership.
 * https://www.postgresql.org/docs/16/predefined-roles.html
 */
export const HARMLESS_ROLES = `WITH RECURSIVE ${REACH}
  SELECT p.rolname::text AS name FROM pg_roles p
   WHERE p.oid >= 16384 AND NOT starts_with(p.rolname, '${LIMITED_LOGIN_PREFIX}')
     AND NOT EXISTS (SELECT FROM reach r JOIN pg_roles g ON g.oid = r.role WHERE r.member = p.oid
       AND (g.rolsuper OR g.rolreplication OR g.rolname IN ('pg_read_server_files', 'pg_write_server_files',
            'pg_execute_server_program', 'pg_create_subscription')))`;

/** A condition on the row `r` of pg_roles: a limited login of whoever made it, which no run needs any more. */
export const ABANDONED_LOGIN = `(starts_with(r.rolname, '${LIMITED_LOGIN_PREFIX}') AND coalesce(r.rolvaliduntil < now(), true)
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.usesysid = r.oid))`;

/** SQL for the names of the roles that are not harmless. */
export const POWERFUL_ROLES = `SELECT rolname::text AS name FROM pg_roles WHERE rolname::text NOT IN (SELECT name FROM (${HARMLESS_ROLES}) h)`;

/**
 * Runs work with a login that is not superuser, for everything that evaluates what users have made: reading a table is
 * enough, as the planner computes the constant parts of its index expressions. It may read and write all data, and acts for
 * each role that is no more than an administrator. Its password is made for the run. It is dropped after it; what a
 * killed run has left, the next one drops.
 *
 * To be called under the lock, unless the server is the caller's own.
 *
 * @param databases What it makes objects in, beside those that its roles own.
 */
export async function withLimitedLogin<Value>(
  server: Server,
  { stack, databases = [] }: Pick<AgentConfiguration, "stack"> & { readonly databases?: readonly string[] },
  context: Pick<Context, "signal">,
  work: (login: Login) => Promise<Value>,
): Promise<Value> {
  const prefix = limitedLoginPrefix(stack);
  // One that cannot be dropped is in nobody's way; a server that is away is told by the next statement.
  await dropLogins(server, prefix, context).catch(() => context.signal.throwIfAborted());
  const login = newLimitedLogin(stack);
  try {
    await psql(server, createLimitedLogin(login, databases, VALID_HOURS), {
      secret: true,
      signal: context.signal,
    });
    return await work({ ...login, quietTriggers: true });
  } catch (error) {
    if (!/pg_hba\.conf/.test(messageOf(error))) throw error;
    throw new Refusal(
      `the server lets in no login of the agent's that is not superuser: its pg_hba.conf is of an earlier version, and pulumi up of its stack brings the present one (${messageOf(error)})`,
    );
  } finally {
    // A server that is gone has no use for it; one that comes back drops it at the next run.
    await dropLogins(server, prefix, { signal: new AbortController().signal }).catch(() => {});
  }
}

/** What the names of the logins begin with that somebody makes. */
export function limitedLoginPrefix(maker: string): string {
  return `${LIMITED_LOGIN_PREFIX}${createHash("sha256").update(maker).digest("hex").slice(0, 8)}`;
}

/** A name and a password that nobody else has. */
export function newLimitedLogin(maker: string): Login {
  return {
    role: `${limitedLoginPrefix(maker)}${randomBytes(8).toString("hex")}`,
    password: randomBytes(24).toString("base64url"),
  };
}

/**
 * Lines for psql, as the superuser, that make the login.
 *
 * @param hours How long it signs in at most, and so when anybody may drop it.
 */
export function createLimitedLogin(
  { role, password }: Login,
  databases: readonly string[],
  hours: number,
): string {
  const until = new Date(Date.now() + hours * 3_600_000).toISOString();
  const name = quoteIdentifier(role);
  const inFormat = name.replaceAll("%", "%%");
  return `BEGIN;
${TAKE_TURN}
CREATE ROLE ${name} LOGIN BYPASSRLS VALID UNTIL ${quoteLiteral(until)} PASSWORD ${quoteLiteral(verifier(password))};
GRANT pg_read_all_data, pg_write_all_data TO ${name};
GRANT SET ON PARAMETER session_replication_role TO ${name};
SELECT format('GRANT %I TO ${inFormat} WITH INHERIT TRUE, SET TRUE', name) FROM (${HARMLESS_ROLES}) harmless \\gexec
SELECT format('GRANT CREATE ON TABLESPACE %I TO ${inFormat}', spcname) FROM pg_tablespace WHERE spcname !~ '^pg_' \\gexec
${databases
  .map(
    (
      database,
    ) => `SELECT format('GRANT %s ON DATABASE %I TO ${inFormat}', privilege, d.datname) FROM pg_database d, unnest('{CONNECT,CREATE,TEMPORARY}'::text[]) privilege
  WHERE d.datname = ${quoteLiteral(database)} AND NOT has_database_privilege(${quoteLiteral(role)}, d.oid, privilege) \\gexec`,
  )
  .join("\n")}
COMMIT;
`;
}

/** See TAKE_CHANGE_LOCK of operations: grants on what is shared fail where another session changes the same rows. */
const TAKE_TURN = "LOCK TABLE pg_catalog.pg_shseclabel IN SHARE UPDATE EXCLUSIVE MODE;";

/** A login that is to go, and the databases in which it has something. */
export interface LimitedLogin {
  readonly name: string;
  readonly databases: readonly string[];
}

/** SQL for the logins, as {@link LimitedLogin}, that a condition on the row `r` of pg_roles holds for. */
export function limitedLogins(condition: string): string {
  return `SELECT r.rolname::text AS name, ARRAY(SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
              WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid AND d.datallowconn) AS databases
       FROM pg_roles r WHERE ${condition}`;
}

/** Lines for psql, as the superuser, that end a login's sessions, drop what it owns, and drop it, each with where it is run. */
export function dropLimitedLogin({ name, databases }: LimitedLogin): { database: string; sql: string }[] {
  const role = quoteIdentifier(name);
  const end = `SELECT pg_terminate_backend(pid, ${END_MILLISECONDS}) FROM pg_stat_activity WHERE usename = ${quoteLiteral(name)};`;
  const owned = `BEGIN; ${TAKE_TURN} DROP OWNED BY ${role} CASCADE; COMMIT;`;
  return [
    { database: "postgres", sql: end },
    // What is shared, as the grants on databases, goes with each.
    ...databases.filter((name) => name !== "postgres").map((database) => ({ database, sql: owned })),
    { database: "postgres", sql: `${owned} DROP ROLE IF EXISTS ${role};` },
  ];
}

/** Ends the sessions of logins whose names begin so, drops what they own, and drops them. */
async function dropLogins(
  server: Server,
  prefix: string,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const which = `starts_with(r.rolname, ${quoteLiteral(prefix)}) OR ${ABANDONED_LOGIN}`;
  for (const login of await query<LimitedLogin>(server, limitedLogins(which), { signal })) {
    for (const { database, sql } of dropLimitedLogin(login)) await psql(server, sql, { database, signal });
  }
}

/** What PostgreSQL stores for a password (RFC 5802): so the password itself is in no statement that others can see. */
function verifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(hmac("Client Key")).digest();
  const keys = [stored, hmac("Server Key")].map((key) => key.toString("base64")).join(":");
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString("base64")}$${keys}`;
}
