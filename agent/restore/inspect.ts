import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf } from "../failure.ts";
import { HARMLESS_ROLES, withLimitedLogin } from "../limited-login.ts";
import { type Login, query, quoteLiteral } from "../sql.ts";
import { checkDatabase } from "../verification/checks.ts";
import type { Outcome } from "../verification/outcome.ts";
import { type TableContent, tableContents } from "../verification/tables.ts";
import { amcheck, type TemporaryServer } from "./cluster.ts";

/** What was found in a recovered cluster. */
export interface Inspection extends Outcome {
  /** Empty where they cannot be read. */
  readonly tables: readonly TableContent[];
}

/**
 * Looks at a recovered cluster. What ordinary SQL can bring about is only told of: replay gives back the source as it was.
 *
 * @param writable Recovery has ended, so that pg_amcheck can be installed.
 */
export async function inspectCluster(
  configuration: AgentConfiguration,
  server: TemporaryServer,
  writable: boolean,
  context: Pick<Context, "signal">,
): Promise<Inspection> {
  const { stack, database } = configuration;
  const look = (login: Login) => inspectDatabase(configuration, server, login, context);
  if (writable) {
    const damage = await amcheck(server, context);
    const found = await withLimitedLogin(server, { stack, databases: [database] }, context, look);
    return { ...found, problems: [...damage, ...found.problems] };
  }
  const reader = await readerIn(server, database, context);
  if (reader !== undefined) return look(reader);
  const unseen = `what database ${database} holds is looked at only when it is in use: it has no role but the superuser that reads everything`;
  return { problems: [], warnings: [unseen], tables: [] };
}

async function inspectDatabase(
  { database, verification }: AgentConfiguration,
  server: TemporaryServer,
  login: Login,
  context: Pick<Context, "signal">,
): Promise<Inspection> {
  const { problems, warnings } = await checkDatabase(server, database, verification, { login, context });
  try {
    const tables = await tableContents(server, database, verification, { login, context });
    return { problems, warnings, tables };
  } catch (error) {
    context.signal.throwIfAborted();
    return {
      problems: [...problems, `its tables cannot be read: ${messageOf(error)}`],
      warnings,
      tables: [],
    };
  }
}

/**
 * While a cluster recovers no login can be made in it: one of its own roles reads everything, as the administrator does. A
 * temporary server asks for no password.
 */
async function readerIn(
  server: TemporaryServer,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<Login | undefined> {
  const [reader] = await query<{ role: string }>(
    server,
    `SELECT r.rolname AS role FROM pg_roles r, pg_database d
      WHERE d.datname = ${quoteLiteral(database)} AND r.rolcanlogin AND r.rolbypassrls AND r.rolconnlimit <> 0
        AND pg_has_role(r.oid, 'pg_read_all_data', 'USAGE') AND has_database_privilege(r.oid, d.oid, 'CONNECT')
        AND r.rolname::text IN (SELECT name FROM (${HARMLESS_ROLES}) h) ORDER BY r.oid = d.datdba DESC, 1 LIMIT 1`,
    { signal },
  );
  return reader === undefined ? undefined : { role: reader.role, password: "" };
}
