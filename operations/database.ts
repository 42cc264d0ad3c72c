import { applyChanges, type Change } from "./change.ts";
import { type DatabaseInspection, inspectDatabase } from "./database/inspection.ts";
import { createDatabase, databasePlan, lockedSuperuser } from "./database/plan.ts";
import { type DatabaseSpecification, requireDatabase } from "./database/specification.ts";
import { shown } from "./sql.ts";
import { runAsSuperuser, SqlError } from "./superuser.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

export type { Change } from "./change.ts";
export { type InitSqlFile, runInitSql } from "./database/init-sql.ts";
export { RolesMissing } from "./database/plan.ts";
export type { DatabaseSpecification } from "./database/specification.ts";

const ALREADY_THERE = "42P04";
/** The extension's files are not there: feature_not_supported, undefined_file. */
const NO_EXTENSION: readonly (string | undefined)[] = ["0A000", "58P01"];

/**
 * What has to change for the database to be as specified: schemas, extensions, owners, default privileges and every
 * grant on what is in its schemas, also what a human granted by hand, to whomever. Objects of extensions are left as
 * their extension made them. Empty: nothing.
 *
 * @throws UserError for a specification that no server would take; Error when a role is missing.
 */
export async function planDatabase(target: Target, database: DatabaseSpecification): Promise<Change[]> {
  requireDatabase(database);
  const live = await inspectDatabase(target, database);
  const changes = databasePlan(live, database);
  return live.exists ? changes : [createDatabase(database), ...changes];
}

/**
 * Makes the database as specified and returns what was changed: the database itself by a statement of its own, the
 * rest in one transaction. The first time it also takes away the bootstrap superuser's password.
 *
 * @throws UserError, SqlError naming the change that failed.
 */
export async function applyDatabase(target: Target, database: DatabaseSpecification): Promise<Change[]> {
  requireDatabase(database);
  const { live, created } = await existing(target, database);
  const changes = databasePlan(live, database);
  try {
    await applyChanges(target, changes, database.name);
  } catch (error) {
    throw missingExtension(error) ?? error;
  }
  return [...created, ...changes];
}

/** Takes the bootstrap superuser's password away, by itself; {@link applyDatabase} does it too. */
export async function lockSuperuser(target: Target): Promise<void> {
  await applyChanges(target, [lockedSuperuser()], "postgres");
}

async function existing(
  target: Target,
  database: DatabaseSpecification,
): Promise<{ live: DatabaseInspection; created: Change[] }> {
  const live = await inspectDatabase(target, database);
  if (live.exists) return { live, created: [] };
  // Fails for what would fail later, before anything is made.
  databasePlan(live, database);
  const change = createDatabase(database);
  try {
    await runAsSuperuser(target, `${change.sql};`);
  } catch (error) {
    if (!(error instanceof SqlError) || error.code !== ALREADY_THERE) throw error;
  }
  return { live: await inspectDatabase(target, database), created: [change] };
}

function missingExtension(error: unknown): UserError | undefined {
  if (!(error instanceof SqlError) || !NO_EXTENSION.includes(error.code)) return undefined;
  const name = /^create extension ([\w-]+): /.exec(error.serverMessage)?.[1];
  if (name === undefined) return undefined;
  return new UserError(`extensions: ${shown(name)} is not in the server's image (${error.serverMessage})`);
}
