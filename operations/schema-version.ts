import type { Client } from "pg";
import { backUpBefore } from "./backup-before.ts";
import { type MigrationFile, migrate, migrationStatus, type Users, versionOf } from "./migrations.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

/** Where a schema is to be. */
export interface SchemaVersionOptions {
  /** Folder of the project, with its migrations. */
  readonly project: string;
  /** Digits of the last migration; `0`: none. */
  readonly version: string;
  /** Who gets the stack's grants on what the migrations make. */
  readonly users?: Users;
}

/** What is applied and what a stack's version asks for besides, a line each; empty: the schema is there. */
export async function schemaDrift(
  client: Client,
  { project, version }: SchemaVersionOptions,
): Promise<string[]> {
  const { applied, pending } = await migrationStatus(client, project);
  return [
    ...pending.filter((one) => !isAfter(one.version, version)).map(({ name }) => `${name} is not applied`),
    ...applied.filter(({ name }) => isAfter(name, version)).map(({ name }) => `${name} is applied`),
  ];
}

/**
 * Applies what leads to a version, with a backup before where there is something to lose. Takes nothing back: that loses
 * data, and is for a person to say.
 *
 * @returns The migrations that were applied.
 * @throws UserError when the schema is past the version, or a migration fails.
 */
export async function bringSchemaTo(
  target: Target,
  client: Client,
  { project, version, users }: SchemaVersionOptions,
): Promise<MigrationFile[]> {
  const { applied } = await migrationStatus(client, project);
  const past = applied.find(({ name }) => isAfter(name, version));
  if (past !== undefined) {
    throw new UserError(
      `the schema is past version ${version} (${past.name} is applied), and an up takes nothing back: pgstack migrate down --to ${version} does, or pgstack:schemaVersion is to be a later one`,
    );
  }
  const before = async () => {
    if (await hasTables(client))
      await backUpBefore(target, { label: "before migration", requireProof: false });
  };
  const how = { project, before, ...(users === undefined ? {} : { users }) };
  return await migrate(client, { ...how, direction: "up", to: version });
}

function isAfter(name: string, version: string): boolean {
  return Number(versionOf(name)) > Number(version);
}

async function hasTables(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
       WHERE relkind IN ('r', 'p') AND nspname !~ '^(pg_|pgstack|information_schema$)') AS there`,
  );
  return rows[0]?.there === true;
}
