import { setTimeout as delay } from "node:timers/promises";
import { type MigrationBuilder, runner } from "node-pg-migrate";
import type { Client } from "pg";
import { listMigrationFiles, MIGRATION_FOLDER, type MigrationFile } from "./migrations/files.ts";
import {
  type Applied,
  forgetSql,
  HISTORY_SCHEMA,
  HISTORY_TABLE,
  MAKE_HISTORY,
  readHistory,
  recordSql,
  requireSameHistory,
} from "./migrations/history.ts";
import { requireSound } from "./migrations/lint.ts";
import { versionNamed } from "./migrations/wanted.ts";
import { UserError } from "./user-error.ts";

export { createMigration, MIGRATION_FOLDER, type MigrationFile, versionOf } from "./migrations/files.ts";
export type { Applied } from "./migrations/history.ts";
export { type Finding, lint } from "./migrations/lint.ts";
export { LATEST, type SchemaVersion, wantedSchema } from "./migrations/wanted.ts";

/** What is to be done. */
export interface MigrateOptions {
  /** Folder of the project. */
  readonly project: string;
  readonly direction: "up" | "down";
  /** Version to be at afterwards; `0` is before the first one. Default: the last one; down: the one before the present. */
  readonly to?: string;
  readonly onStep?: (text: string, fraction?: number) => void;
  readonly signal?: AbortSignal;
  /** Done when everything is known to be sound and nobody else is at it, before the first migration: a backup. */
  readonly before?: () => Promise<void>;
  /** How often to try again where a lock cannot be had at once. Default: 20. */
  readonly lockTries?: number;
}

/** Any number will do, as long as every run takes the same. */
const LOCK = 7_205_759_405;
/** Whoever waits for a lock makes all others wait: so none is waited for longer than this. */
const LOCK_TIMEOUT = "2s";
const LOCK_TRIES = 20;
const PAUSE_MILLISECONDS = 500;
const LOCK_NOT_AVAILABLE = "55P03";

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
  return plan(client, await listMigrationFiles(options.project), options);
}

async function plan(
  client: Client,
  files: readonly MigrationFile[],
  { direction, to }: Pick<MigrateOptions, "direction" | "to">,
): Promise<MigrationFile[]> {
  const { applied, pending } = await compare(client, files);
  const target = to === undefined ? undefined : versionNamed(to, files, "--to");
  if (direction === "up")
    return pending.filter(({ version }) => target === undefined || Number(version) <= target);
  const done = applied.map(({ name }) => files.find((one) => one.name === name) as MigrationFile).reverse();
  return target === undefined ? done.slice(0, 1) : done.filter(({ version }) => Number(version) > target);
}

/**
 * Applies migrations, or takes them back: one run at a time, each migration in a transaction of its own together with the
 * record of it. What fails leaves the schema as the migration before it left it.
 *
 * @returns What was done.
 * @throws UserError naming the migration, with the server's words.
 */
export async function migrate(client: Client, options: MigrateOptions): Promise<MigrationFile[]> {
  const { rows } = await client.query<{ mine: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS mine`);
  if (rows[0]?.mine !== true)
    throw new UserError("another run of migrations is at work: wait until it has ended");
  try {
    await client.query(`SET lock_timeout = '${LOCK_TIMEOUT}'`);
    const files = await listMigrationFiles(options.project);
    const planned = await plan(client, files, options);
    for (const one of planned) {
      await requireSound(one);
      if (options.direction === "down" && one.down === undefined) {
        throw new UserError(
          `${MIGRATION_FOLDER}/${one.name}.down.sql is not there: there is no way down from ${one.version}`,
        );
      }
    }
    if (planned.length > 0) {
      await options.before?.();
      await client.query(MAKE_HISTORY);
    }
    for (const [index, one] of planned.entries()) {
      options.signal?.throwIfAborted();
      options.onStep?.(`${options.direction} ${one.name}`, index / planned.length);
      await applyPatiently(client, files, one, options);
    }
    return planned;
  } finally {
    await client.query(`SELECT pg_advisory_unlock(${LOCK})`).catch(() => {});
  }
}

async function applyPatiently(
  client: Client,
  files: readonly MigrationFile[],
  file: MigrationFile,
  options: MigrateOptions,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await apply(client, files, file, options);
      return;
    } catch (error) {
      await client.query("ROLLBACK");
      const { code, message } = error as { code?: string; message: string };
      if (code !== LOCK_NOT_AVAILABLE) {
        throw new UserError(
          `migration ${file.name} failed, and the schema is as it was before it: ${message}${placeOf(error, file, options)}`,
          { cause: error },
        );
      }
      if (tries >= (options.lockTries ?? LOCK_TRIES)) {
        throw new UserError(
          `migration ${file.name} was not begun: a table that it needs is held by a long transaction (pg_stat_activity says whose); the schema is as it was`,
          { cause: error },
        );
      }
      options.onStep?.(`${options.direction} ${file.name}: waiting for a lock`);
      await delay(PAUSE_MILLISECONDS, undefined, { signal: options.signal });
    }
  }
}

async function apply(
  client: Client,
  files: readonly MigrationFile[],
  file: MigrationFile,
  { project, direction }: MigrateOptions,
): Promise<void> {
  const step = (sql: string, record: string) => (builder: MigrationBuilder) => {
    if (!file.transaction) builder.noTransaction();
    builder.sql(sql);
    builder.sql(record);
  };
  await runner({
    dbClient: client,
    dir: `${project}/${MIGRATION_FOLDER}`,
    direction,
    count: 1,
    ...{ migrationsTable: HISTORY_TABLE, migrationsSchema: HISTORY_SCHEMA, schema: "public" },
    ...{ singleTransaction: false, noLock: true, checkOrder: false },
    ignorePattern: ".*\\.down\\.sql",
    logger: { info: () => {}, warn: () => {}, error: () => {} },
    migrationLoaderStrategies: [
      {
        extensions: [".sql"],
        loader: async () =>
          files.map((one) => ({
            id: `${one.name}.sql`,
            filePaths: [],
            actions: {
              up: step(one.up, recordSql(one)),
              down: one.down === undefined ? false : step(one.down, forgetSql(one)),
            },
          })),
      },
    ],
  });
}

/** The line of the file that the server complains about. */
function placeOf(error: unknown, { up, down = "" }: MigrationFile, { direction }: MigrateOptions): string {
  const position = Number((error as { position?: string }).position);
  if (!Number.isInteger(position) || position < 1) return "";
  return ` (line ${(direction === "up" ? up : down).slice(0, position - 1).split("\n").length})`;
}
