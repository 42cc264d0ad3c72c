import { setTimeout as delay } from "node:timers/promises";
import { type MigrationBuilder, runner } from "node-pg-migrate";
import type { Client } from "pg";
import { UserError } from "../user-error.ts";
import { MIGRATION_FOLDER, type MigrationFile } from "./files.ts";
import { grantsSql, type Users } from "./grants.ts";
import { type Direction, forgetSql, HISTORY_SCHEMA, HISTORY_TABLE, recordSql } from "./history.ts";
import { requireValidIndexesSql } from "./index-checks.ts";
import { isConcurrent, type Outside, outsideOf } from "./outside.ts";
import { longTransactions } from "./run-lock.ts";
import { aftermathOf, runOutside } from "./run-outside.ts";
import { statementsOf } from "./statements.ts";

/** How migrations are applied. */
export interface ApplyOptions {
  readonly project: string;
  readonly direction: Direction;
  readonly users?: Users;
  readonly lockTries?: number;
  readonly patienceSeconds?: number;
  readonly onStep?: (text: string, fraction?: number) => void;
  readonly signal?: AbortSignal;
}

/** Whoever waits for a lock makes all others wait: so none is waited for longer than this. */
export const LOCK_TIMEOUT = "2s";
const LOCK_TRIES = 20;
const PAUSE_MILLISECONDS = 500;
const PATIENCE_SECONDS = 600;
const LOCK_NOT_AVAILABLE = "55P03";

/** Applies one migration, trying again where a lock is held. @throws UserError with what it has left, if anything. */
export async function applyPatiently(
  client: Client,
  files: readonly MigrationFile[],
  file: MigrationFile,
  options: ApplyOptions,
): Promise<void> {
  const { direction, signal } = options;
  const sql = (direction === "up" ? file.up : file.down) ?? "";
  const [statement] = await statementsOf(`${file.name}.${direction}.sql`, sql);
  const outside = file.transaction || statement === undefined ? undefined : outsideOf(statement);
  const onStep = (text: string) => options.onStep?.(`${direction} ${file.name}: ${text}`);
  // Who waits without being in the way has waited long enough by then, and building the index again takes time.
  const most = outside !== undefined && isConcurrent(outside) ? 1 : (options.lockTries ?? LOCK_TRIES);
  for (let tries = 1; ; tries += 1) {
    try {
      if (outside === undefined) await applyInTransaction(client, files, file, options);
      else await applyOutside(client, { file, outside, sql }, { ...options, onStep });
      return;
    } catch (error) {
      const lost = await client.query("ROLLBACK").then(
        () => false,
        () => true,
      );
      const aftermath = aftermathOf(error);
      const { code } = error as { code?: string };
      if (outside?.makes !== "parts" && aftermath?.clean !== false) signal?.throwIfAborted();
      const locked = code === LOCK_NOT_AVAILABLE && !lost;
      if (!locked || tries >= most || aftermath?.clean === false) {
        const whose = locked ? await longTransactions(client).catch(() => "") : "";
        const details = { outside, sql, lost, locked, whose, aftermath: aftermath?.words };
        throw new UserError(failure(file, error as Error, details), { cause: error });
      }
      onStep("waiting for a lock");
      await delay(PAUSE_MILLISECONDS, undefined, { signal });
    }
  }
}

interface Details {
  readonly outside: Outside | undefined;
  readonly sql: string;
  readonly lost: boolean;
  readonly locked: boolean;
  readonly whose: string;
  readonly aftermath: string | undefined;
}

function failure({ name }: MigrationFile, error: Error, details: Details): string {
  const { outside, sql, lost, locked, whose, aftermath } = details;
  const message = `${error.message}${placeOf(error, sql)}`;
  if (aftermath !== undefined) return `migration ${name} failed: ${message}; ${aftermath}${whose}`;
  if (lost) {
    return `migration ${name}: the session was lost (${message}): migrate status tells whether it was applied, and migrate completes it`;
  }
  if (outside !== undefined) return `migration ${name} was not begun: ${message}${whose}`;
  if (!locked) return `migration ${name} failed, and the schema is as it was before it: ${message}`;
  const holder = whose === "" ? " (pg_stat_activity says whose)" : "";
  return `migration ${name} was not begun: a table that it needs is held by a long transaction${holder}; the schema is as it was${whose}`;
}

async function applyOutside(
  client: Client,
  { file, outside, sql }: { readonly file: MigrationFile; readonly outside: Outside; readonly sql: string },
  { direction, users, patienceSeconds = PATIENCE_SECONDS, onStep = () => {} }: ApplyOptions,
): Promise<void> {
  const after = users === undefined ? "" : grantsSql(users);
  await runOutside(client, { file, direction, outside, sql, after, patienceSeconds, onStep });
}

async function applyInTransaction(
  client: Client,
  files: readonly MigrationFile[],
  file: MigrationFile,
  { project, direction, users }: ApplyOptions,
): Promise<void> {
  const sql = direction === "up" ? file.up : file.down;
  const statements = await statementsOf(`${file.name}.${direction}.sql`, sql ?? "");
  const step = (record: string) => (builder: MigrationBuilder) => {
    builder.sql(sql ?? "");
    const checks = requireValidIndexesSql(statements);
    if (checks !== "") builder.sql(checks);
    if (users !== undefined) builder.sql(grantsSql(users));
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
              up: step(recordSql(one)),
              down: one.down === undefined ? false : step(forgetSql(one)),
            },
          })),
      },
    ],
  });
}

/** The line of the file that the server complains about. */
function placeOf(error: unknown, sql: string): string {
  const position = Number((error as { position?: string }).position);
  if (!Number.isInteger(position) || position < 1) return "";
  const before = [...sql].slice(0, position - 1).join("");
  return ` (line ${before.split("\n").length})`;
}
