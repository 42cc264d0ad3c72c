import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { psql, query, quoteIdentifier } from "../sql.ts";
import {
  changedProperties,
  type DatabaseProperties,
  planProperties,
  readDatabaseProperties,
} from "./database-properties.ts";
import { logicalDirectory } from "./folder.ts";
import { storedProperties } from "./stored-properties.ts";

interface Restored {
  readonly id: string;
  readonly database: string;
}

/** The properties that a database gets with a backup: the backup's, or the present ones where it holds none. */
export async function propertiesToRestore(
  configuration: AgentConfiguration,
  { id, database }: Restored,
  context: Pick<Context, "signal">,
): Promise<DatabaseProperties | undefined> {
  const stored = await storedProperties(configuration, join(logicalDirectory(configuration), id));
  return stored ?? readDatabaseProperties(configuration, database, context);
}

/** What a restore makes of the database's properties: what changes, and what cannot be had any more, a line each. */
export async function describeProperties(
  configuration: AgentConfiguration,
  { id, database }: Restored,
  context: Pick<Context, "signal">,
): Promise<{ readonly notes: readonly string[]; readonly losses: readonly string[] }> {
  const stored = await storedProperties(configuration, join(logicalDirectory(configuration), id));
  const present = await readDatabaseProperties(configuration, database, context);
  const properties = stored ?? present;
  if (properties === undefined) return { notes: [], losses: [] };
  const { lost } = planProperties(database, properties, await roleNames(configuration, context));
  if (stored === undefined) {
    const kept =
      "the backup was taken before backups held the database's own settings, owner and grants: the present ones are kept";
    return { notes: [kept], losses: lost };
  }
  const changed = present === undefined ? [] : changedProperties(present, stored);
  const notes =
    changed.length === 0 ? [] : [`of the database itself, put back as in the backup: ${changed.join(", ")}`];
  return { notes, losses: lost };
}

/** The statements that give a database these properties, for the name that it will have. */
export async function propertyStatements(
  configuration: AgentConfiguration,
  properties: DatabaseProperties | undefined,
  context: Pick<Context, "signal">,
): Promise<(database: string) => string> {
  if (properties === undefined)
    return (database) => `GRANT CONNECT, TEMPORARY ON DATABASE ${quoteIdentifier(database)} TO PUBLIC;`;
  const roles = await roleNames(configuration, context);
  return (database) => planProperties(database, properties, roles).statements.join("\n");
}

/** Runs statements and undoes them: one that the server refuses is found before any session is ended. */
export async function tryStatements(
  configuration: AgentConfiguration,
  statements: string,
  context: Pick<Context, "signal">,
): Promise<void> {
  await psql(configuration, `BEGIN;\n${statements}\nROLLBACK;`, context);
}

async function roleNames(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<ReadonlySet<string>> {
  const rows = await query<{ name: string }>(configuration, "SELECT rolname AS name FROM pg_roles", context);
  return new Set(rows.map(({ name }) => name));
}
