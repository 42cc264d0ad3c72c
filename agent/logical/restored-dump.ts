import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { withScratchCluster } from "../restore/cluster.ts";
import type { Server } from "../sql.ts";
import { logicalDirectory } from "./folder.ts";
import { createDatabase, restoreInto, restoreRoles } from "./restore.ts";
import { storedProperties } from "./stored-properties.ts";

/**
 * Restores a whole dump into a throw-away cluster and runs work with its server.
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
  work: (server: Server) => Promise<Value>,
): Promise<Value> {
  const folder = join(logicalDirectory(configuration), id);
  const directory = join(configuration.scratchDirectory, `${purpose}-${id}`);
  await rm(directory, { recursive: true, force: true });
  return withScratchCluster(directory, context, async (server) => {
    await restoreRoles(configuration, folder, server, context);
    const { tablespace: _, ...locale } = (await storedProperties(configuration, folder)) ?? {};
    await createDatabase(server, database, context, "encoding" in locale ? locale : undefined);
    await restoreInto(configuration, folder, { server, database, schemaOnly }, context);
    return work(server);
  });
}
