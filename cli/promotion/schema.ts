import type { Client } from "pg";
import type { Journal, JournalSchema } from "../../operations/promotion/journal.ts";
import { UserError } from "../../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../../toolchain/directories.mjs";

/** Rows of a table; undefined: they cannot be counted. */
export interface TableRows {
  readonly table: string;
  readonly rows: number | undefined;
}

/** What of an interrupted promotion is in a stack's schema, and what was written there since it began. */
export interface SchemaSince {
  /** Migrations that the promotion brought, oldest first. */
  readonly migrations: readonly string[];
  /** Tables that are there since. */
  readonly made: readonly TableRows[];
  /** Tables that were there before, with how many rows were written since. */
  readonly written: readonly TableRows[];
}

const COUNTED = 1_000_000;
const WRITES = `SELECT format('%I.%I', schemaname, relname) AS name, (n_tup_ins + n_tup_upd + n_tup_del)::float8 AS writes
  FROM pg_stat_user_tables WHERE schemaname !~ '^pgstack(_|$)' ORDER BY 1`;

/** The schema as a promotion finds it. @throws UserError where there is no way down from what it brings. */
export async function schemaBefore(
  client: Client,
  to: string,
  wanted: string,
): Promise<{ readonly version: string } & JournalSchema> {
  const { migrationStatus, plannedMigrations, versionOf } = await import("../../operations/migrations.ts");
  const planned = await plannedMigrations(client, {
    ...{ project: PROJECT_DIRECTORY, direction: "up", to: wanted },
  });
  const oneWay = planned.find(({ down }) => down === undefined);
  if (oneWay !== undefined) {
    throw new UserError(
      `nothing was changed: migrations/${oneWay.name}.down.sql is not there, so a promotion that fails could not put stack ${to} back`,
    );
  }
  const { applied } = await migrationStatus(client, PROJECT_DIRECTORY);
  return {
    version: versionOf(applied.at(-1)?.name ?? ""),
    wanted,
    applied: applied.map(({ name, checksum }) => ({ name, checksum })),
    writes: Object.fromEntries((await writesOf(client)).map(({ name, writes }) => [name, writes])),
  };
}

/**
 * Compares the schema with what a promotion found and brings.
 *
 * @throws UserError where it has migrations of somebody else, or lacks some: then nothing is taken back.
 */
export async function schemaSince(client: Client, to: string, journal: Journal): Promise<SchemaSince> {
  const { migrationStatus, versionOf } = await import("../../operations/migrations.ts");
  const { applied } = await migrationStatus(client, PROJECT_DIRECTORY);
  const { schema, schemaVersion = "0" } = journal;
  const known = new Map(schema?.applied.map(({ name, checksum }) => [name, checksum]));
  const later = applied.filter(({ name }) => Number(versionOf(name)) > Number(schemaVersion));
  if (schema === undefined) {
    if (later.length === 0) return { migrations: [], made: [], written: [] };
    throw refused(to, `it does not say what it brought, and ${namesOf(later)} is applied`);
  }
  const foreign = applied.find(
    ({ name, checksum }) =>
      known.get(name) !== checksum &&
      !(later.some((one) => one.name === name) && Number(versionOf(name)) <= Number(schema.wanted)),
  );
  if (foreign !== undefined) throw refused(to, `${foreign.name} was applied since, by somebody else`);
  const missing = schema.applied.find(({ name }) => !applied.some((one) => one.name === name));
  if (missing !== undefined) throw refused(to, `${missing.name} was taken back since`);
  return { migrations: later.map(({ name }) => name), ...(await writtenSince(client, schema)) };
}

function refused(to: string, why: string): UserError {
  return new UserError(
    `nothing was changed: the schema of stack ${to} is not what the promotion left: ${why}. npm start -- --stack ${to} completes the promotion; pgstack --stack ${to} migrate brings the schema where it is to be`,
  );
}

async function writtenSince(
  client: Client,
  { writes: before }: JournalSchema,
): Promise<Pick<SchemaSince, "made" | "written">> {
  const tables = await writesOf(client);
  const made: TableRows[] = [];
  for (const { name } of tables.filter((one) => !(one.name in before))) {
    made.push({ table: name, rows: await rowsOf(client, name) });
  }
  const written = tables.flatMap(({ name, writes }) => {
    const then = before[name];
    // A server that crashed meanwhile counts from nothing.
    const since = then === undefined ? 0 : writes < then ? writes : writes - then;
    return since > 0 ? [{ table: name, rows: since }] : [];
  });
  return { made, written };
}

/** As many as a table has, up to a million. */
async function rowsOf(client: Client, table: string): Promise<number | undefined> {
  try {
    const { rows } = await client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM (SELECT FROM ${table} LIMIT ${COUNTED}) counted`,
    );
    return rows[0]?.n;
  } catch {
    return undefined;
  }
}

async function writesOf(client: Client): Promise<{ readonly name: string; readonly writes: number }[]> {
  return (await client.query<{ name: string; writes: number }>(WRITES)).rows;
}

function namesOf(applied: readonly { readonly name: string }[]): string {
  return applied.map(({ name }) => name).join(", ");
}
