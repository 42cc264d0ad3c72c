import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { HARMLESS_ROLES, POWERFUL_ROLES } from "../limited-login.ts";
import { output } from "../program.ts";
import { clientEnvironment, type Login, psql, query, quoteIdentifier, type Server } from "../sql.ts";
import { type DatabaseLocale, emptyDatabaseOptions } from "./database-properties.ts";
import { DUMP } from "./dump.ts";
import { restoreFrom } from "./read-back.ts";
import { type Phase, restorePhases } from "./restore-phases.ts";

/** A dump that can be restored. */
export interface RestorableDump {
  /** Runs pg_restore on it. */
  readonly restore: (
    options: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ) => Promise<void>;
  /** Names of the roles that its source had. */
  readonly roles: readonly string[];
  /** Identifiers of what `PRIVILEGED_ROUTINES` has found at the source. */
  readonly privilegedRoutines: readonly string[];
}

/** The database that a dump goes to: empty, and closed to everybody but the superuser and the login. */
export interface RestoreTarget {
  readonly server: Server;
  readonly database: string;
  readonly login: Login;
  /** Without any data. */
  readonly schemaOnly?: boolean;
}

/** How pg_restore is run on the dump in a backup's folder, whatever its form. */
export function storedDump(
  configuration: AgentConfiguration,
  folder: string,
  context: Pick<Context, "signal">,
): RestorableDump["restore"] {
  const directory = join(folder, DUMP.folder);
  return async (options, environment = {}) => {
    if (!existsSync(directory)) return restoreFrom(configuration, folder, options, environment, context);
    const jobs = options.includes("--list") ? [] : [`--jobs=${configuration.jobs}`];
    await output("pg_restore", [...options, ...jobs, directory], { environment, signal: context.signal });
  };
}

/**
 * Puts a dump into a database that is there. Whatever may evaluate what users have made is done by the login, which is not
 * superuser; the rest, as extensions and grants, by the superuser: see {@link restorePhases}.
 *
 * @param list File for its own use.
 */
export async function restoreInto(
  { restore, roles, privilegedRoutines }: RestorableDump,
  { server, database, login, schemaOnly = false }: RestoreTarget,
  list: string,
  context: Pick<Context, "signal">,
): Promise<void> {
  const how = [`--dbname=${database}`, "--exit-on-error", "--no-password", `--use-list=${list}`];
  const options = schemaOnly ? [...how, "--schema-only"] : how;
  const run = async ({ by, entries }: Phase): Promise<void> => {
    await writeFile(list, entries.map((number) => `${number};\n`).join(""));
    await restore(options, clientEnvironment(server, database, by === "superuser" ? {} : { login }));
  };
  try {
    const there = await query<{ name: string; harmless: boolean }>(
      server,
      `SELECT rolname AS name, rolname::text IN (SELECT name FROM (${HARMLESS_ROLES}) h) AS harmless FROM pg_roles`,
      context,
    );
    await restore(["--list", `--file=${list}`]);
    const { first, creating, finishing } = restorePhases(await readFile(list, "utf8"), {
      roles: [...new Set([...roles, ...there.map(({ name }) => name)])],
      powerful: new Set(there.filter(({ harmless }) => !harmless).map(({ name }) => name)),
      privilegedRoutines: new Set(privilegedRoutines),
    });
    for (const phase of first) await run(phase);
    await psql(server, OPEN_SCHEMAS, { database, signal: context.signal });
    for (const phase of creating) {
      if (phase.by === "limited login")
        await psql(server, referring("GRANT", login), { database, signal: context.signal });
      await run(phase);
    }
    const close = `${referring("REVOKE", login)}${CLOSE_SCHEMAS}`;
    await psql(server, close, { database, signal: context.signal });
    for (const phase of finishing) await run(phase);
  } finally {
    await rm(list, { force: true });
  }
}

const OF_USERS = "nspname !~ '^pg_' AND nspname <> 'information_schema'";
/** Who is given an object must be allowed to create it, unless a superuser gives it: until then, everybody is. */
const OPEN_SCHEMAS = `SELECT format('GRANT CREATE ON SCHEMA %I TO PUBLIC', nspname) FROM pg_namespace WHERE ${OF_USERS} \\gexec
`;
/** As they were, to the absence of a list: the grants of the dump come next. */
const CLOSE_SCHEMAS = `SELECT format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', nspname) FROM pg_namespace WHERE ${OF_USERS} \\gexec
UPDATE pg_namespace SET nspacl = NULL WHERE ${OF_USERS} AND nspname <> 'public' AND nspacl = acldefault('n', nspowner);
`;

/**
 * Lines for psql that let the login refer to what the superuser has: a foreign key of a user's table to one of its tables, a
 * foreign table of its server. The grants for it are among those of the dump, which come later.
 */
function referring(what: "GRANT" | "REVOKE", { role }: Login): string {
  const whose = `${what === "GRANT" ? "TO" : "FROM"} ${quoteIdentifier(role)}`;
  return `SELECT format('${what} REFERENCES, TRIGGER ON TABLE %s ${whose}', c.oid::regclass) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND ${OF_USERS} AND pg_get_userbyid(c.relowner)::text IN (${POWERFUL_ROLES}) \\gexec
SELECT format('${what} USAGE ON FOREIGN SERVER %I ${whose}', srvname) FROM pg_foreign_server
  WHERE pg_get_userbyid(srvowner)::text IN (${POWERFUL_ROLES}) \\gexec
`;
}

/**
 * SQL for the identifiers of routines that nobody but a superuser can make: in languages that are not trusted, leakproof,
 * with a planner's support, or with a setting that is the superuser's.
 */
export const PRIVILEGED_ROUTINES = `SELECT p.oid::text AS id FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE p.oid >= 16384 AND (p.proleakproof OR p.prosupport <> 0 OR NOT l.lanpltrusted
        OR EXISTS (SELECT FROM unnest(p.proconfig) s JOIN pg_settings g ON lower(g.name) = lower(split_part(s, '=', 1)) AND g.context = 'superuser'))`;

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
