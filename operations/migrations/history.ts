import type { Client } from "pg";
import { UserError } from "../user-error.ts";
import { MIGRATION_FOLDER, type MigrationFile, versionOf } from "./files.ts";

/** Schema of what is kept about migrations: in the database itself, so that backups and snapshots have it. */
export const HISTORY_SCHEMA = "pgstack_migrations";
/** Table of the names and times of what was applied, as the library below keeps it. */
export const HISTORY_TABLE = "migrations";
const CHECKSUMS = `${HISTORY_SCHEMA}.checksums`;

/** A migration that was applied. */
export interface Applied {
  readonly name: string;
  /** ISO 8601 in UTC. */
  readonly at: string;
  readonly checksum: string;
}

/** What makes the tables; they may be there. */
export const MAKE_HISTORY = `CREATE SCHEMA IF NOT EXISTS ${HISTORY_SCHEMA};
CREATE TABLE IF NOT EXISTS ${CHECKSUMS} (name text PRIMARY KEY, checksum text NOT NULL);`;

/** SQL that records what a migration was when it was applied; part of its own transaction. */
export function recordSql({ name, checksum }: MigrationFile): string {
  return `INSERT INTO ${CHECKSUMS} (name, checksum) VALUES ('${name}', '${checksum}') ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum;`;
}

/** SQL that forgets it again. */
export function forgetSql({ name }: MigrationFile): string {
  return `DELETE FROM ${CHECKSUMS} WHERE name = '${name}';`;
}

/** What was applied, in its order. */
export async function readHistory(client: Client): Promise<Applied[]> {
  const { rows: there } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('${HISTORY_SCHEMA}.${HISTORY_TABLE}') IS NOT NULL AS there`,
  );
  if (there[0]?.there !== true) return [];
  const { rows } = await client.query<Applied>(
    `SELECT name, to_char(run_on AT TIME ZONE current_setting('TimeZone') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at,
            coalesce(checksum, '') AS checksum
       FROM ${HISTORY_SCHEMA}.${HISTORY_TABLE} LEFT JOIN ${CHECKSUMS} USING (name) ORDER BY id`,
  );
  return rows;
}

/**
 * Refuses a history that the files do not tell any more.
 *
 * @throws UserError naming the first file that was changed, is gone, or came between those that were applied.
 */
export function requireSameHistory(applied: readonly Applied[], files: readonly MigrationFile[]): void {
  const names = new Set(applied.map(({ name }) => name));
  for (const { name, checksum } of applied) {
    const file = files.find((one) => one.name === name);
    if (file === undefined) {
      throw new UserError(
        `${MIGRATION_FOLDER}/${name}.up.sql was applied and is gone: take it back from version control`,
      );
    }
    if (checksum !== "" && file.checksum !== checksum) {
      throw new UserError(
        `${MIGRATION_FOLDER}/${name}.up.sql was changed after it was applied: take it back from version control, and put the change into a migration of its own`,
      );
    }
  }
  const last = applied
    .map(({ name }) => Number(versionOf(name)))
    .reduce((one, other) => Math.max(one, other), -1);
  const early = files.find(({ name, version }) => !names.has(name) && Number(version) < last);
  if (early !== undefined) {
    throw new UserError(
      `${MIGRATION_FOLDER}/${early.name}.up.sql came after later ones were applied: give it a version after ${last}`,
    );
  }
}
