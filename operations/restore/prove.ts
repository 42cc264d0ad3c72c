import { queryAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { UserError } from "../user-error.ts";

/**
 * Proves that a restored cluster is the stack's: it has the database and the roles. As of the backup these may have other
 * passwords and grants; the `up` that follows brings those that the stack declares.
 *
 * @throws UserError naming what lacks.
 */
export async function proveRestored(target: Target, roles: readonly string[]): Promise<void> {
  const databases = await names(target, "SELECT datname AS name FROM pg_database WHERE datallowconn");
  if (!databases.includes(target.database)) {
    throw new UserError(`what was restored has no database ${target.database}`);
  }
  const known = await names(target, "SELECT rolname AS name FROM pg_roles");
  const missing = roles.filter((name) => !known.includes(name));
  if (missing.length > 0) throw new UserError(`what was restored lacks the roles ${missing.join(", ")}`);
}

async function names(target: Target, sql: string): Promise<string[]> {
  return (await queryAsSuperuser<{ name: string }>(target, sql)).map(({ name }) => name);
}
