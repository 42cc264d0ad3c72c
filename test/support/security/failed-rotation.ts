import { setTimeout as delay } from "node:timers/promises";
import { queryAsSuperuser, runAsSuperuser } from "../../../operations/superuser.ts";
import type { Ended } from "../project.ts";
import type { LiveStack } from "./live-stack.ts";

/**
 * An `up` whose very statement that sets a password fails in the server: pg_authid is locked, and the statement that
 * waits for it is cancelled.
 *
 * @param settings In which a role's rotation is raised.
 */
export async function failedRotation(
  stack: LiveStack,
  settings: Readonly<Record<string, unknown>>,
): Promise<Ended> {
  const { target } = stack;
  const lock = runAsSuperuser(
    target,
    "BEGIN; LOCK TABLE pg_authid IN EXCLUSIVE MODE; SELECT pg_sleep(60) /* lock */;",
    { logged: true },
  ).catch(() => {});
  await stack.project.configure(settings);
  const up = stack.project.up();
  let ended = false;
  up.finally(() => {
    ended = true;
  }).catch(() => {});
  const waiting = "FROM pg_locks WHERE relation = 'pg_authid'::regclass AND NOT granted";
  while (!ended) {
    await queryAsSuperuser(target, `SELECT pg_cancel_backend(pid) AS cancelled ${waiting}`);
    await delay(50);
  }
  await queryAsSuperuser(
    target,
    "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE query LIKE '%/* lock */%' AND pid <> pg_backend_pid()",
  );
  await lock;
  return await up;
}
