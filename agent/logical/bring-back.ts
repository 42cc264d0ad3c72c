import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { psql, query, quoteIdentifier, quoteLiteral } from "../sql.ts";
import { checkDatabase } from "../verification/checks.ts";
import { differences, tableContents } from "../verification/tables.ts";
import { logicalDirectory, readManifest } from "./folder.ts";
import { compareFiles } from "./read-back.ts";
import { createDatabase, restoreInto } from "./restore.ts";

/** What became of a dump that was brought back. */
export interface BroughtBack {
  /** The database from before under its new name; absent where parts were brought back into it. */
  readonly kept?: string;
  readonly tables: number;
}

/**
 * Brings the database back to a dump: made beside the one in use, checked and compared, and then put in its place by two
 * renames in one transaction. The one from before is kept, shut off. To be called under the lock.
 */
export async function bringBackDatabase(
  configuration: AgentConfiguration,
  id: string,
  context: Context,
): Promise<BroughtBack> {
  const { database, tables, files } = await readManifest(configuration, id);
  const folder = join(logicalDirectory(configuration), id);
  await requireWhole(folder, files, id);
  const beside = `${database}_restore`;
  const before = `${database}_before_${id.slice(0, 15).toLowerCase()}_${id.slice(-4)}`;
  await dropDatabase(configuration, beside, context);
  context.step("restoring beside the database in use", 0.1);
  await createDatabase(configuration, beside, context);
  try {
    await restoreInto(configuration, folder, { server: configuration, database: beside }, context);
    context.step("checking and comparing", 0.7);
    const found = await tableContents(configuration, beside, configuration.verification, { context });
    const problems = [
      ...differences(tables, found),
      ...(await checkDatabase(configuration, beside, configuration.verification, context)),
    ];
    if (problems.length > 0)
      throw new Refusal(`what was restored is not sound: ${problems.slice(0, 5).join("; ")}`);
    context.step("putting it in use", 0.9);
    await exchange(configuration, { database, beside, before }, context);
  } catch (error) {
    await dropDatabase(configuration, beside, { signal: new AbortController().signal });
    throw error;
  }
  return { kept: before, tables: tables.length };
}

/** @throws Refusal naming each file that is not as it was written. */
export async function requireWhole(
  folder: string,
  files: Parameters<typeof compareFiles>[1],
  id: string,
): Promise<void> {
  const problems = await compareFiles(folder, files);
  if (problems.length > 0) throw new Refusal(`backup ${id} is damaged: ${problems.join("; ")}`);
}

async function exchange(
  configuration: AgentConfiguration,
  {
    database,
    beside,
    before,
  }: { readonly database: string; readonly beside: string; readonly before: string },
  context: Pick<Context, "signal">,
): Promise<void> {
  const name = quoteIdentifier(database);
  const owner = await query<{ owner: string; limit: number }>(
    configuration,
    `SELECT pg_get_userbyid(datdba) AS owner, datconnlimit AS limit FROM pg_database WHERE datname = ${quoteLiteral(database)}`,
    context,
  );
  const [{ owner: role, limit } = { owner: "postgres", limit: -1 }] = owner;
  await psql(configuration, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false;`, context);
  try {
    await psql(
      configuration,
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname IN (${quoteLiteral(database)}, ${quoteLiteral(beside)}) AND pid <> pg_backend_pid();
       BEGIN;
       ALTER DATABASE ${name} RENAME TO ${quoteIdentifier(before)};
       ALTER DATABASE ${quoteIdentifier(beside)} RENAME TO ${name};
       ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(role)};
       ALTER DATABASE ${name} CONNECTION LIMIT ${limit};
       COMMIT;`,
      context,
    );
  } catch (error) {
    await psql(configuration, `ALTER DATABASE ${name} ALLOW_CONNECTIONS true;`);
    throw error;
  }
}

async function dropDatabase(
  configuration: AgentConfiguration,
  database: string,
  context: Pick<Context, "signal">,
): Promise<void> {
  await psql(configuration, `DROP DATABASE IF EXISTS ${quoteIdentifier(database)} WITH (FORCE);`, context);
}
