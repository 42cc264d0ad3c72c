import { queryAsSuperuser } from "./superuser.ts";
import type { Target } from "./target.ts";

/**
 * The statement by which superusers' transactions that change roles and grants take turns, in all databases of a server:
 * two that change the same rows of the catalogs at once would fail with "tuple concurrently updated". A table that only a
 * superuser can lock (labels of shared objects, which nothing else has locked like this): an advisory lock any role could
 * take, and keep for ever.
 */
export const TAKE_CHANGE_LOCK = "LOCK TABLE pg_catalog.pg_shseclabel IN SHARE UPDATE EXCLUSIVE MODE;\n";
/** SQLSTATE of a statement that has waited for a lock as long as it may. */
export const LOCK_NOT_AVAILABLE = "55P03";

/** Who holds the lock of {@link TAKE_CHANGE_LOCK}, in words; undefined: nobody. */
export async function changeLockHolder(target: Target): Promise<string | undefined> {
  const [holder] = await queryAsSuperuser<{ pid: number; role: string; program: string; since: string }>(
    target,
    `SELECT a.pid, a.usename AS role, a.application_name AS program,
            to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
       FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE l.relation = 'pg_shseclabel'::regclass AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted`,
  );
  if (holder === undefined) return undefined;
  const { pid, role, program, since } = holder;
  return `process ${pid}, role ${JSON.stringify(role)}, program ${JSON.stringify(program)}, since ${since}`;
}
