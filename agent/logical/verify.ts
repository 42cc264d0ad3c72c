import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { amcheck } from "../restore/cluster.ts";
import { checkDatabase } from "../verification/checks.ts";
import { type Outcome, together } from "../verification/outcome.ts";
import { differences, tableContents } from "../verification/tables.ts";
import { logicalDirectory, readManifest } from "./folder.ts";
import { compareFiles, readDump } from "./read-back.ts";
import { withRestoredDump } from "./restored-dump.ts";

/** Looks whether a logical backup is whole. @returns What is wrong, a line each. */
export async function verifyLogical(
  configuration: AgentConfiguration,
  id: string,
  context: Context,
): Promise<string[]> {
  const folder = join(logicalDirectory(configuration), id);
  const { files } = await readManifest(configuration, id);
  const problems = await compareFiles(folder, files);
  if (problems.length > 0) return problems;
  await readDump(configuration, folder, context);
  return [];
}

/** Restores a logical backup into a throw-away cluster and compares it with what its source was. */
export async function verifyLogicalDeep(
  configuration: AgentConfiguration,
  id: string,
  context: Context,
): Promise<Outcome> {
  const folder = join(logicalDirectory(configuration), id);
  const { files, tables, database, findings: known } = await readManifest(configuration, id);
  const changed = await compareFiles(folder, files);
  if (changed.length > 0) return { problems: changed, warnings: [] };
  context.step(`restoring ${id} into a throw-away cluster`, 0.1);
  return withRestoredDump(
    configuration,
    { id, database, purpose: "verify" },
    context,
    async (server, login) => {
      context.step("comparing", 0.7);
      const found = await tableContents(server, database, configuration.verification, { login, context });
      return together(
        differences(tables, found),
        await checkDatabase(server, database, configuration.verification, {
          ...(known === undefined ? {} : { known }),
          login,
          context,
        }),
        { problems: await amcheck(server, context), warnings: [] },
      );
    },
  );
}
