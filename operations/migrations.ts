import type { Client } from "pg";
import { type ApplyOptions, applyPatiently, LOCK_TIMEOUT } from "./migrations/apply.ts";
import { closedSchemas } from "./migrations/closed-schemas.ts";
import { listMigrationFiles, MIGRATION_FOLDER, type MigrationFile } from "./migrations/files.ts";
import type { Users } from "./migrations/grants.ts";
import {
  type Applied,
  type Direction,
  MAKE_HISTORY,
  readHistory,
  requireSameHistory,
} from "./migrations/history.ts";
import { takeTurn } from "./migrations/run-lock.ts";
import { requireSound } from "./migrations/sound.ts";
import { versionNamed } from "./migrations/wanted.ts";
import { UserError } from "./user-error.ts";

export { createMigration, MIGRATION_FOLDER, type MigrationFile, versionOf } from "./migrations/files.ts";
export type { Users } from "./migrations/grants.ts";
export type { Applied } from "./migrations/history.ts";
export { type Finding, lint } from "./migrations/lint.ts";
export { LATEST, type SchemaVersion, wantedSchema } from "./migrations/wanted.ts";

/** What is to be done. */
export interface MigrateOptions extends ApplyOptions {
  /** Folder of the project. */
  readonly project: string;
  readonly direction: Direction;
  /** Version to be at afterwards; `0` is before the first one. Default: the last one; down: the one before the present. */
  readonly to?: string;
  readonly onStep?: (text: string, fraction?: number) => void;
  readonly onWarning?: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Done when everything is known to be sound and nobody else is at it, before the first migration: a backup. */
  readonly before?: () => Promise<void>;
  /** Who gets the stack's grants on what the migrations make. Default: nobody beyond the default privileges. */
  readonly users?: Users;
  /** How often to try again where a lock cannot be had at once. Default: 20. */
  readonly lockTries?: number;
  /** How long a statement such as CREATE INDEX CONCURRENTLY, which keeps nobody waiting, may wait for others. Default: 600. */
  readonly patienceSeconds?: number;
  /** Ends the statement that the session of this process id is at; called when `signal` is aborted. */
  readonly cancel?: (processId: number) => Promise<void>;
}

/** Where a database stands. */
export interface MigrationStatus {
  readonly applied: readonly Applied[];
  readonly pending: readonly MigrationFile[];
}

/** Compares the files with what was applied. @throws UserError for a history that they do not tell any more. */
export async function migrationStatus(client: Client, project: string): Promise<MigrationStatus> {
  return compare(client, await listMigrationFiles(project));
}

async function compare(client: Client, files: readonly MigrationFile[]): Promise<MigrationStatus> {
  const applied = await readHistory(client);
  requireSameHistory(applied, files);
  const names = new Set(applied.map(({ name }) => name));
  return { applied, pending: files.filter(({ name }) => !names.has(name)) };
}

/** The migrations that a run would apply or take back, in its order. */
export async function plannedMigrations(
  client: Client,
  options: Pick<MigrateOptions, "project" | "direction" | "to">,
): Promise<MigrationFile[]> {
  const planned = await plan(client, await listMigrationFiles(options.project), options);
  const unreadable = planned.find((file) => file.unreadable !== undefined)?.unreadable;
  if (unreadable !== undefined) throw new UserError(unreadable);
  return planned;
}

async function plan(
  client: Client,
  files: readonly MigrationFile[],
  { direction, to }: Pick<MigrateOptions, "direction" | "to">,
): Promise<MigrationFile[]> {
  const { applied, pending } = await compare(client, files);
  const target = to === undefined ? undefined : versionNamed(to, files, "--to");
  if (direction === "up") {
    return pending.filter(({ version }) => target === undefined || Number(version) <= target);
  }
  const done = applied.map(({ name }) => files.find((one) => one.name === name) as MigrationFile).reverse();
  return target === undefined ? done.slice(0, 1) : done.filter(({ version }) => Number(version) > target);
}

/**
 * Applies migrations, or takes them back: one run at a time, each migration in a transaction of its own together with the
 * record of it. What fails leaves the schema as the migration before it left it; what can't be in a transaction says what
 * it has left.
 *
 * @returns What was done.
 * @throws UserError naming the migration, with the server's words.
 */
export async function migrate(client: Client, options: MigrateOptions): Promise<MigrationFile[]> {
  const files = await listMigrationFiles(options.project);
  const asked = await plan(client, files, options);
  for (const file of asked) await requireSoundFor(file, options);
  if (asked.length === 0) return [];
  await prepareSession(client);
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const cancel = () => {
    options.cancel?.(rows[0]?.pid ?? 0).catch(() => {});
  };
  await makeHistory(client);
  const letGo = await takeTurn(client);
  options.signal?.addEventListener("abort", cancel, { once: true });
  try {
    // Another run may have ended since.
    const planned = await plan(client, files, options);
    if (planned.length > 0) await options.before?.();
    for (const [index, file] of planned.entries()) {
      options.signal?.throwIfAborted();
      options.onStep?.(`${options.direction} ${file.name}`, index / planned.length);
      await prepareSession(client);
      const closed = await closedSchemas(client);
      await applyPatiently(client, files, file, options);
      await prepareSession(client);
      for (const [schema, owner] of await closedSchemas(client)) {
        if (closed.has(schema)) continue;
        options.onWarning?.(
          `schema ${schema} belongs to ${owner} and not to the administrator: application and readonly get no rights in it`,
        );
      }
    }
    return planned;
  } finally {
    options.signal?.removeEventListener("abort", cancel);
    await prepareSession(client).catch(() => {});
    await letGo();
  }
}

async function requireSoundFor(file: MigrationFile, { direction }: MigrateOptions): Promise<void> {
  await requireSound(file);
  if (direction === "down" && file.down === undefined) {
    throw new UserError(
      `${MIGRATION_FOLDER}/${file.name}.down.sql is not there: there is no way down from ${file.version}`,
    );
  }
}

/** Each migration begins with the session's own settings, whatever the one before has set; a dead client's statement ends. */
async function prepareSession(client: Client): Promise<void> {
  await client.query(`RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; SET lock_timeout = '${LOCK_TIMEOUT}';
    SELECT set_config(name, '2s', false) FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval'`);
}

async function makeHistory(client: Client): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await client.query(MAKE_HISTORY);
      return;
    } catch (error) {
      // Another run makes it at this moment; IF NOT EXISTS does not know of that.
      if (tries >= 5 || !["23505", "42P07", "XX000"].includes((error as { code?: string }).code ?? ""))
        throw error;
    }
  }
}
