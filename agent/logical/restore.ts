import { existsSync } from "node:fs";
import { join } from "node:path";
import { text as wholeText } from "node:stream/consumers";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { output } from "../program.ts";
import { clientEnvironment, psql, quoteIdentifier, type Server } from "../sql.ts";
import { type DatabaseLocale, emptyDatabaseOptions } from "./database-properties.ts";
import { contentOf, DUMP } from "./dump.ts";
import { restoreFrom } from "./read-back.ts";

/** Puts a dump into a database that is there. */
export async function restoreInto(
  configuration: AgentConfiguration,
  folder: string,
  {
    server,
    database,
    schemaOnly = false,
  }: { readonly server: Server; readonly database: string; readonly schemaOnly?: boolean },
  context: Pick<Context, "signal">,
): Promise<void> {
  const options = [
    `--dbname=${database}`,
    "--exit-on-error",
    "--no-password",
    ...(schemaOnly ? ["--schema-only"] : []),
  ];
  const environment = clientEnvironment(server, database);
  const directory = join(folder, DUMP.folder);
  if (existsSync(directory)) {
    const jobs = `--jobs=${configuration.jobs}`;
    await output("pg_restore", [...options, jobs, directory], { environment, signal: context.signal });
  } else {
    await restoreFrom(configuration, folder, options, environment, context);
  }
}

/** Makes the roles that a dump's owners and grants name, without passwords; those that are there stay as they are. */
export async function restoreRoles(
  configuration: AgentConfiguration,
  folder: string,
  server: Server,
  context: Pick<Context, "signal">,
): Promise<void> {
  const plain = join(folder, DUMP.roles);
  const sql = await wholeText(
    await contentOf(configuration, existsSync(plain) ? plain : `${plain}${DUMP.sealed}`),
  );
  const statements = sql.split("\n").filter((line) => /^(CREATE ROLE|GRANT .* TO )/.test(line));
  for (const statement of statements) {
    const created = /^CREATE ROLE ("(?:[^"]|"")+"|\w+);$/.exec(statement)?.[1];
    const guarded =
      created === undefined
        ? statement
        : `DO $do$ BEGIN CREATE ROLE ${created}; EXCEPTION WHEN duplicate_object THEN NULL; END $do$;`;
    await psql(server, guarded, context);
  }
}

/** Makes an empty database to restore into, which encodes and sorts as the server does by default, or as is said. */
export async function createDatabase(
  server: Server,
  database: string,
  context: Pick<Context, "signal">,
  locale?: DatabaseLocale,
): Promise<void> {
  await psql(
    server,
    `CREATE DATABASE ${quoteIdentifier(database)} ${emptyDatabaseOptions(locale)};`,
    context,
  );
}
