import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { compression } from "../logical/dump.ts";
import { PRIVILEGED_ROUTINES, type RestorableDump, restoreInto } from "../logical/restore.ts";
import { output } from "../program.ts";
import { clientEnvironment, psql, query, quoteIdentifier, quoteLiteral } from "../sql.ts";
import { admitting, grantsOf } from "./doors.ts";
import type { Pair } from "./link.ts";

/** What is dumped of the old database. */
export type Part = "everything" | "schema" | { readonly dataOf: readonly string[] };

/** Puts an empty, closed database in the place of the new server's, of the same encoding and locale as the old one. */
export async function emptyDatabase(pair: Pair, { signal }: Pick<Context, "signal">): Promise<void> {
  const [like] = await query<{
    encoding: string;
    provider: string;
    collate: string;
    ctype: string;
    icu: string | null;
    owner: string;
  }>(
    pair.old,
    `SELECT pg_encoding_to_char(encoding) AS encoding, datlocprovider AS provider, datcollate AS collate, datctype AS ctype,
            daticulocale AS icu, pg_get_userbyid(datdba) AS owner
       FROM pg_database WHERE datname = ${quoteLiteral(pair.database)}`,
    { signal },
  );
  if (like === undefined) throw new Error(`the old server has no database ${pair.database}`);
  const name = quoteIdentifier(pair.database);
  const locale = [
    `LC_COLLATE ${quoteLiteral(like.collate)} LC_CTYPE ${quoteLiteral(like.ctype)}`,
    ...(like.provider === "i" ? [`LOCALE_PROVIDER icu ICU_LOCALE ${quoteLiteral(like.icu ?? "und")}`] : []),
  ].join(" ");
  await psql(pair.new, `DROP DATABASE IF EXISTS ${name} WITH (FORCE);`, { signal });
  await psql(
    pair.new,
    `CREATE DATABASE ${name} OWNER ${quoteIdentifier(like.owner)} TEMPLATE template0 ENCODING ${quoteLiteral(like.encoding)} ${locale} CONNECTION LIMIT 0;`,
    { signal },
  );
}

/** Dumps from the old server with the new one's programs, as PostgreSQL advises, and restores into the new database. */
export async function copyPart(
  configuration: AgentConfiguration,
  pair: Pair,
  part: Part,
  context: Pick<Context, "signal">,
): Promise<void> {
  const folder = join(configuration.scratchDirectory, "upgrade");
  await rm(folder, { recursive: true, force: true });
  await mkdir(configuration.scratchDirectory, { recursive: true });
  const jobs = `--jobs=${configuration.jobs}`;
  const { database } = pair;
  const list = `${folder}.list`;
  try {
    const from = clientEnvironment(pair.old, database);
    const options = ["--no-password", "--no-subscriptions", "--format=directory", jobs, ...selection(part)];
    const compress = part === "schema" ? [] : [await compression(configuration, context)];
    await output("pg_dump", [...options, ...compress, `--file=${folder}`], {
      environment: from,
      signal: context.signal,
    });
    const dump = await dumpOf(configuration, pair, folder, context);
    const grants = await grantsOf(pair.new, database, context);
    const { stack } = configuration;
    await admitting(pair.new, { stack, database, grants }, context, (login) =>
      restoreInto(dump, { server: pair.new, database, login }, list, context),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function dumpOf(
  configuration: AgentConfiguration,
  pair: Pair,
  folder: string,
  context: Pick<Context, "signal">,
): Promise<RestorableDump> {
  const { database } = pair;
  const { signal } = context;
  const routines = await query<{ id: string }>(pair.old, PRIVILEGED_ROUTINES, { database, signal });
  const roles = await query<{ name: string }>(pair.old, "SELECT rolname AS name FROM pg_roles", context);
  return {
    async restore(options, environment = {}) {
      const file = options.find((option) => option.startsWith("--file="))?.slice("--file=".length);
      if (file !== undefined) await writeFile(file, await entriesFor(pair, folder, context));
      else {
        const jobs = `--jobs=${configuration.jobs}`;
        await output("pg_restore", [...options, jobs, folder], { environment, signal });
      }
    },
    roles: roles.map(({ name }) => name),
    privilegedRoutines: routines.map(({ id }) => id),
  };
}

/** What of a dump is restored: all but grants on functions of PostgreSQL's own that the new major has in another form. */
async function entriesFor(pair: Pair, folder: string, { signal }: Pick<Context, "signal">): Promise<string> {
  const entries = (await output("pg_restore", ["--list", folder], { signal })).split("\n");
  const rows = await query<{ name: string }>(
    pair.new,
    `SELECT proname || '(' || pg_get_function_identity_arguments(oid) || ')' AS name FROM pg_proc
      WHERE pronamespace = 'pg_catalog'::regnamespace`,
    { signal },
  );
  const names = new Set(rows.map(({ name }) => name));
  const isThere = (entry: string): boolean => {
    const name = / ACL pg_catalog FUNCTION (.+\)) \S+$/.exec(entry)?.[1];
    return name === undefined || names.has(name);
  };
  return entries.filter(isThere).join("\n");
}

function selection(part: Part): string[] {
  if (part === "everything") return [];
  if (part === "schema") return ["--schema-only"];
  return ["--data-only", ...part.dataOf.map((table) => `--table=${table}`)];
}

/** Statistics for the planner: a restored database has none. */
export async function analyze(pair: Pair, { signal }: Pick<Context, "signal">): Promise<void> {
  await psql(pair.new, "ANALYZE;", { database: pair.database, signal });
}
