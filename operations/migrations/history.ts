import type { Client } from "pg";
import { UserError } from "../user-error.ts";
import { MIGRATION_FOLDER, type MigrationFile, versionOf } from "./files.ts";
import type { Before } from "./leftovers.ts";

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

/** Statements outside of a transaction that were begun: what interrupts them leaves the row. */
const BEGUN = `${HISTORY_SCHEMA}.begun`;
/** Session that applies migrations. */
export const RUN = `${HISTORY_SCHEMA}.run`;

/** Which way a migration goes. */
export type Direction = "up" | "down";

/** What makes the tables; they may be there. Default privileges give others a part in what the administrator makes: not here. */
export const MAKE_HISTORY = `CREATE SCHEMA IF NOT EXISTS ${HISTORY_SCHEMA};
CREATE TABLE IF NOT EXISTS ${HISTORY_SCHEMA}.${HISTORY_TABLE} (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL);
CREATE TABLE IF NOT EXISTS ${CHECKSUMS} (name text PRIMARY KEY, checksum text NOT NULL);
CREATE TABLE IF NOT EXISTS ${BEGUN} (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), before jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS ${RUN} (pid int NOT NULL, started timestamptz NOT NULL);
DO $pgstack$ DECLARE statement text; BEGIN
  FOR statement IN SELECT format('REVOKE ALL ON SCHEMA ${HISTORY_SCHEMA} FROM %I', pg_get_userbyid(x.grantee))
      FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) AS x
     WHERE n.nspname = '${HISTORY_SCHEMA}' AND x.grantee NOT IN (0, n.nspowner)
    UNION SELECT format('REVOKE ALL ON %s FROM %I', c.oid::regclass, pg_get_userbyid(x.grantee))
      FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS x
     WHERE c.relnamespace = '${HISTORY_SCHEMA}'::regnamespace AND x.grantee NOT IN (0, c.relowner)
  LOOP EXECUTE statement; END LOOP;
END $pgstack$;`;

/** SQL that records what a migration was when it was applied; part of its own transaction. */
export function recordSql({ name, checksum }: MigrationFile): string {
  return `INSERT INTO ${CHECKSUMS} (name, checksum) VALUES ('${name}', '${checksum}') ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum;`;
}

/** SQL that forgets it again. */
export function forgetSql({ name }: MigrationFile): string {
  return `DELETE FROM ${CHECKSUMS} WHERE name = '${name}';`;
}

/** Records that a statement outside of a transaction begins. */
export async function recordBegun(client: Client, { name }: MigrationFile, before: Before): Promise<void> {
  await client.query(`INSERT INTO ${BEGUN} (name, before) VALUES ($1, $2)`, [name, before]);
}

/** What was there before a statement that was begun and never recorded; undefined: there is none. */
export async function readBegun(client: Client, { name }: MigrationFile): Promise<Before | undefined> {
  const { rows } = await client.query<{ before: Before }>(`SELECT before FROM ${BEGUN} WHERE name = $1`, [
    name,
  ]);
  return rows[0]?.before;
}

/** A statement that was begun has left nothing. */
export async function forgetBegun(client: Client, { name }: MigrationFile): Promise<void> {
  await client.query(`DELETE FROM ${BEGUN} WHERE name = $1`, [name]);
}

/** Records a migration whose statement has done its work outside of a transaction. */
export async function recordOutside(
  client: Client,
  file: MigrationFile,
  direction: Direction,
  after: string,
): Promise<void> {
  const table = `${HISTORY_SCHEMA}.${HISTORY_TABLE}`;
  const record =
    direction === "up"
      ? `${recordSql(file)} INSERT INTO ${table} (name, run_on) VALUES ('${file.name}', now());`
      : `${forgetSql(file)} DELETE FROM ${table} WHERE name = '${file.name}';`;
  await client.query(`BEGIN; ${after} ${record} DELETE FROM ${BEGUN} WHERE name = '${file.name}'; COMMIT`);
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
