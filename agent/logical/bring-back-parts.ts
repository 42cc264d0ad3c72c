import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf, Refusal } from "../failure.ts";
import { withLimitedLogin } from "../limited-login.ts";
import { output, ProgramFailed } from "../program.ts";
import { clientEnvironment, query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";
import { differences, tableContents } from "../verification/tables.ts";
import { accepting, type BroughtBack, requireWhole } from "./bring-back.ts";
import { logicalDirectory, readManifest } from "./folder.ts";
import { compareParts, type Parts } from "./parts.ts";
import { replaceParts } from "./parts-transaction.ts";
import { requireAccepted, requireInBackup } from "./restore-plan.ts";
import { withRestoredDump } from "./restored-dump.ts";
import type { Selection } from "./selection.ts";

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
  {
    selection,
    acceptLosses,
    acceptance,
  }: { readonly selection: Selection; readonly acceptLosses: boolean; readonly acceptance: boolean },
  context: Context,
): Promise<BroughtBack> {
  const { database, files, tables } = await readManifest(configuration, id);
  await requireWhole(join(logicalDirectory(configuration), id), files, id);
  await requireInBackup(configuration, id, selection, context);
  const dump = join(configuration.scratchDirectory, `parts-${id}.dump`);
  const script = join(configuration.scratchDirectory, `parts-${id}.sql`);
  let warnings: readonly string[] = [];
  context.step("restoring into a throw-away cluster", 0.1);
  try {
    const parts = await withRestoredDump(
      configuration,
      { id, database, purpose: "parts" },
      context,
      async (stored, login) => {
        context.step("comparing", 0.5);
        const found = await tableContents(stored, database, configuration.verification, { login, context });
        warnings = accepting(differences(tables, found), acceptance).warnings;
        const compared = await compareParts(configuration, { database, selection, stored }, context);
        requireAccepted(
          compared.losses.map(({ object }) => object),
          acceptLosses,
        );
        context.step("taking the chosen parts", 0.6);
        await dumpParts(stored, database, selection, dump, context);
        return compared;
      },
    );
    context.step("restoring in one transaction", 0.8);
    await writeScript(configuration, { database, selection, parts, dump, script }, context);
    const whose = { stack: configuration.stack, databases: [database] };
    await withLimitedLogin(configuration, whose, context, (login) =>
      replaceParts(configuration, { database, parts, script, login }, context),
    );
    return { tables: parts.relations.length, warnings };
  } finally {
    await rm(dump, { force: true });
    await rm(script, { force: true });
  }
}

async function dumpParts(
  server: Server,
  database: string,
  { schemas, tables }: Selection,
  path: string,
  { signal }: Context,
): Promise<void> {
  const options = [
    ...["--format=custom", `--file=${path}`, "--strict-names"],
    ...schemas.map((schema) => `--schema=${quoteIdentifier(schema)}`),
    ...tables.map(
      ({ schema, name }) => `--table-and-children=${quoteIdentifier(schema)}.${quoteIdentifier(name)}`,
    ),
  ];
  try {
    await output("pg_dump", options, { environment: clientEnvironment(server, database), signal });
  } catch (error) {
    const missing =
      error instanceof ProgramFailed &&
      /no matching \w+ were found for (?:\w+ )*pattern (".*")/.exec(error.complaint)?.[1];
    if (missing) throw new Refusal(`the backup has no ${missing}: nothing was changed`);
    throw error;
  }
}

/** The SQL of the parts, without the schemas that are there: those stay, with what was made in them since. */
async function writeScript(
  configuration: AgentConfiguration,
  {
    database,
    selection: { schemas },
    parts: { leftOut },
    dump,
    script,
  }: {
    readonly database: string;
    readonly selection: Selection;
    readonly parts: Parts;
    readonly dump: string;
    readonly script: string;
  },
  context: Context,
): Promise<void> {
  const { signal } = context;
  const list = `${dump}.list`;
  const there = await existingSchemas(configuration, database, schemas, context);
  const left = [...leftOut, ...there.map((name) => `SCHEMA - ${name}`)];
  try {
    const entries = await output("pg_restore", ["--list", dump], { signal });
    const kept = entries.split("\n").filter((line) => !left.some((entry) => line.includes(` ${entry} `)));
    await writeFile(list, kept.join("\n"));
    const how = ["--clean", "--if-exists", `--use-list=${list}`, `--file=${script}`];
    await output("pg_restore", [...how, dump], { signal });
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
