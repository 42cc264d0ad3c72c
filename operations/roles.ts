import { applyChanges, type Change } from "./change.ts";
import { TAKE_CHANGE_LOCK } from "./change-lock.ts";
import { inspectRole } from "./roles/inspection.ts";
import { rolePlan } from "./roles/plan.ts";
import { type RoleSpecification, requireRole, requireRoleName } from "./roles/specification.ts";
import { identifier, literal } from "./sql.ts";
import { queryAsSuperuser, runAsSuperuser, SqlError, SUPERUSER } from "./superuser.ts";
import type { Target } from "./target.ts";

export type { Change } from "./change.ts";
export type { RoleKind, RoleSpecification } from "./roles/specification.ts";

/**
 * Another role that is dropped at the same time was the heir, left this one something, or holds what this one waits for:
 * undefined_object, dependent_objects_still_exist, deadlock_detected.
 */
const MOVED = ["42704", "2BP01", "40P01"];
const MOST_TRIES = 3;

/**
 * What has to change for the role to be as specified: attributes, memberships in both directions, connection limit,
 * validity, settings and password, also where a human changed them. Empty: nothing.
 *
 * @throws UserError for a specification that no server would take.
 */
export async function planRole(target: Target, role: RoleSpecification): Promise<Change[]> {
  requireRole(role);
  return rolePlan(await inspectRole(target, role.name), role);
}

/**
 * Makes the role as specified, in one transaction, and returns what was changed. A new password counts from the next
 * sign-in on; sessions stay. The server gets a SCRAM-SHA-256 verifier, which no log shows.
 *
 * @throws UserError, SqlError naming the change that failed.
 */
export async function applyRole(target: Target, role: RoleSpecification): Promise<Change[]> {
  const changes = await planRole(target, role);
  await applyChanges(target, changes, "postgres");
  return changes;
}

/**
 * Drops a role, if it is there: its sessions end, what it owns goes to the owner of the target's database (to the
 * superuser where that is the role itself), its grants go.
 *
 * @throws SqlError when something in a database that can't be reached still belongs to it.
 */
export async function dropRole(target: Target, name: string): Promise<void> {
  requireRoleName(name);
  for (let tries = 1; ; tries += 1) {
    try {
      return await dropOnce(target, name);
    } catch (error) {
      const moved = error instanceof SqlError && MOVED.includes(error.code ?? "");
      if (!moved || tries === MOST_TRIES) throw error;
    }
  }
}

async function dropOnce(target: Target, name: string): Promise<void> {
  const [found] = await queryAsSuperuser<{ heir: string; databases: string[] }>(
    target,
    `SELECT coalesce((SELECT o.rolname FROM pg_database d JOIN pg_authid o ON o.oid = d.datdba
                       WHERE d.datname = ${literal(target.database)} AND o.oid <> r.oid),
                     ${literal(SUPERUSER)}) AS heir,
            (SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE datallowconn) AS databases
       FROM pg_authid r WHERE r.rolname = ${literal(name)}`,
  );
  if (found === undefined) return;
  const role = identifier(name);
  // Without LOGIN no new session begins while the old ones end.
  await runAsSuperuser(
    target,
    `ALTER ROLE ${role} NOLOGIN;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${literal(name)};`,
  );
  for (const database of found.databases) {
    // One at a time: roles that go at once wait for each other's grants.
    await runAsSuperuser(
      target,
      `${TAKE_CHANGE_LOCK}REASSIGN OWNED BY ${role} TO ${identifier(found.heir)};\nDROP OWNED BY ${role} CASCADE;`,
      { database, singleTransaction: true },
    );
  }
  await runAsSuperuser(target, `DROP ROLE ${role};`);
}
