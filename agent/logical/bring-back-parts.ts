import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf, Refusal } from "../failure.ts";
import { output, ProgramFailed } from "../program.ts";
import { clientEnvironment, query, quoteIdentifier, quoteLiteral } from "../sql.ts";
import { differences, tableContents } from "../verification/tables.ts";
import { type BroughtBack, requireWhole } from "./bring-back.ts";
import { logicalDirectory, readManifest } from "./folder.ts";
import type { Selection } from "./restore.ts";
import { withRestoredDump } from "./restored-dump.ts";

/**
 * Brings chosen tables or schemas back, all or nothing, in one transaction. To be called under the lock.
 *
 * The whole dump is restored into a throw-away cluster, compared, and dumped again in part: only so does a table come with
 * its indexes, constraints, triggers and sequences, which pg_restore leaves out when it is asked for a table.
 * See https://www.postgresql.org/docs/16/app-pgrestore.html, option --table.
 */
export async function bringBackParts(
  configuration: AgentConfiguration,
  id: string,
  selection: Selection,
  context: Context,
): Promise<BroughtBack> {
  const { database, files, tables } = await readManifest(configuration, id);
  await requireWhole(join(logicalDirectory(configuration), id), files, id);
  const parts = join(configuration.scratchDirectory, `parts-${id}.dump`);
  context.step("restoring into a throw-away cluster", 0.1);
  try {
    await withRestoredDump(configuration, { id, database, purpose: "parts" }, context, async (server) => {
      context.step("comparing", 0.5);
      const found = await tableContents(server, database, configuration.verification, { context });
      const problems = differences(tables, found);
      if (problems.length > 0)
        throw new Refusal(`what was restored is not sound: ${problems.slice(0, 5).join("; ")}`);
      context.step("taking the chosen parts", 0.6);
      await dumpParts(server, database, selection, parts, context);
    });
    context.step("restoring in one transaction", 0.8);
    await restoreParts(configuration, { database, selection, parts }, context);
  } finally {
    await rm(parts, { force: true });
  }
  return { tables: selection.tables?.length ?? 0 };
}

async function dumpParts(
  server: Parameters<typeof clientEnvironment>[0],
  database: string,
  { schemas = [], tables = [] }: Selection,
  path: string,
  { signal }: Context,
): Promise<void> {
  const options = [
    ...["--format=custom", `--file=${path}`, "--strict-names"],
    ...schemas.map((schema) => `--schema=${quoteIdentifier(schema)}`),
    ...tables.map((name) => `--table-and-children=${name.split(".").map(quoteIdentifier).join(".")}`),
  ];
  try {
    await output("pg_dump", options, { environment: clientEnvironment(server, database), signal });
  } catch (error) {
    const missing =
      error instanceof ProgramFailed &&
      /no matching \w+ were found for (?:\w+ )*pattern "(.*)"/.exec(error.complaint)?.[1];
    if (missing) throw new Refusal(`the backup has no ${missing.replaceAll('"', "")}: nothing was changed`);
    throw error;
  }
}

async function restoreParts(
  configuration: AgentConfiguration,
  {
    database,
    selection: { schemas = [] },
    parts,
  }: { readonly database: string; readonly selection: Selection; readonly parts: string },
  context: Context,
): Promise<void> {
  const environment = clientEnvironment(configuration, database);
  const { signal } = context;
  const list = `${parts}.list`;
  const there = await existingSchemas(configuration, database, schemas, context);
  try {
    const entries = await output("pg_restore", ["--list", parts], { signal });
    // A schema that is there stays, with what was made in it since: only what the backup has is taken out and put back.
    const kept = entries
      .split("\n")
      .filter((line) => !there.some((name) => line.includes(` SCHEMA - ${name} `)));
    await writeFile(list, kept.join("\n"));
    const how = ["--single-transaction", "--clean", "--if-exists", `--use-list=${list}`];
    await output("pg_restore", [...how, `--dbname=${database}`, parts], { environment, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new Refusal(`nothing was changed: ${messageOf(error)}`);
  } finally {
    await rm(list, { force: true });
  }
}

async function existingSchemas(
  configuration: AgentConfiguration,
  database: string,
  schemas: readonly string[],
  { signal }: Context,
): Promise<string[]> {
  if (schemas.length === 0) return [];
  const sql = `SELECT nspname AS name FROM pg_namespace WHERE nspname IN (${schemas.map(quoteLiteral).join(", ")})`;
  return (await query<{ name: string }>(configuration, sql, { database, signal })).map(({ name }) => name);
}
