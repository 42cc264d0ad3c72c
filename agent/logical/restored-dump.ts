import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { withLimitedLogin } from "../limited-login.ts";
import { createPlainRoles } from "../roles.ts";
import { withScratchCluster } from "../sandbox/scratch-cluster.ts";
import type { Login, Server } from "../sql.ts";
import { logicalDirectory, readManifest } from "./folder.ts";
import { createDatabase, type RestorableDump, restoreInto, storedDump } from "./restore.ts";
import { storedProperties, storedRoleNames } from "./stored-properties.ts";

/** The dump of a backup. */
export async function restorableDump(
  configuration: AgentConfiguration,
  id: string,
  context: Pick<Context, "signal">,
): Promise<RestorableDump> {
  const folder = join(logicalDirectory(configuration), id);
  const { privilegedRoutines = [] } = await readManifest(configuration, id);
  return {
    restore: storedDump(configuration, folder, context),
    roles: await storedRoleNames(configuration, folder),
    privilegedRoutines,
  };
}

/**
 * Restores a whole dump into a throw-away cluster and runs work with its server, and a login there that is not superuser.
 *
 * @param purpose Begins the name of the cluster's folder.
 */
export async function withRestoredDump<Value>(
  configuration: AgentConfiguration,
  {
    id,
    database,
    purpose,
    schemaOnly = false,
  }: {
    readonly id: string;
    readonly database: string;
    readonly purpose: string;
    /** Without any data. */
    readonly schemaOnly?: boolean;
  },
  context: Pick<Context, "signal">,
  work: (server: Server, login: Login) => Promise<Value>,
): Promise<Value> {
  const folder = join(logicalDirectory(configuration), id);
  const name = `${purpose}-${id}`;
  const dump = await restorableDump(configuration, id, context);
  return withScratchCluster(configuration, name, context, async (server) => {
    await createPlainRoles(server, dump.roles, context);
    const { tablespace: _, ...locale } = (await storedProperties(configuration, folder)) ?? {};
    await createDatabase(server, database, context, "encoding" in locale ? locale : undefined);
    const { stack } = configuration;
    return withLimitedLogin(server, { stack, databases: [database] }, context, async (login) => {
      await restoreInto(
        dump,
        { server, database, login, schemaOnly },
        join(configuration.scratchDirectory, `${name}.list`),
        context,
      );
      return work(server, login);
    });
  });
}
