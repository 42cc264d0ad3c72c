import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { compression } from "../logical/dump.ts";
import { output } from "../program.ts";
import { clientEnvironment, psql, query, quoteIdentifier, quoteLiteral } from "../sql.ts";
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
  try {
    const from = clientEnvironment(pair.old, database);
    const options = ["--no-password", "--no-subscriptions", "--format=directory", jobs, ...selection(part)];
    const compress = part === "schema" ? [] : [await compression(configuration, context)];
    await output("pg_dump", [...options, ...compress, `--file=${folder}`], {
      environment: from,
      signal: context.signal,
    });
    const list = `${folder}.list`;
    await writeFile(list, await entriesFor(pair, folder, context));
    const how = [`--dbname=${database}`, "--exit-on-error", "--no-password", `--use-list=${list}`];
    await output("pg_restore", [...how, jobs, folder], {
      environment: clientEnvironment(pair.new, database),
      signal: context.signal,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(`${folder}.list`, { force: true });
  }
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
