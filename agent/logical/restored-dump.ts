import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { withScratchCluster } from "../restore/cluster.ts";
import type { Server } from "../sql.ts";
import { logicalDirectory } from "./folder.ts";
import { createDatabase, restoreInto, restoreRoles } from "./restore.ts";

/**
 * Restores a whole dump into a throw-away cluster and runs work with its server.
 *
 * @param purpose Begins the name of the cluster's folder.
 */
export async function withRestoredDump<Value>(
  configuration: AgentConfiguration,
  { id, database, purpose }: { readonly id: string; readonly database: string; readonly purpose: string },
  context: Pick<Context, "signal">,
  work: (server: Server) => Promise<Value>,
): Promise<Value> {
  const folder = join(logicalDirectory(configuration), id);
  const directory = join(configuration.scratchDirectory, `${purpose}-${id}`);
  await rm(directory, { recursive: true, force: true });
  return withScratchCluster(directory, context, async (server) => {
    await restoreRoles(configuration, folder, server, context);
    await createDatabase(server, database, context);
    await restoreInto(configuration, folder, { server, database }, context);
    return work(server);
  });
}
