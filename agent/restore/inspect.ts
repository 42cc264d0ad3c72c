import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf } from "../failure.ts";
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
  const { database, verification } = configuration;
  const damage = writable ? await amcheck(server, context) : [];
  const { problems, warnings } = await checkDatabase(server, database, verification, { context });
  const found = [...damage, ...problems];
  try {
    const tables = await tableContents(server, database, verification, { context });
    return { problems: found, warnings, tables };
  } catch (error) {
    context.signal.throwIfAborted();
    return { problems: [...found, `its tables cannot be read: ${messageOf(error)}`], warnings, tables: [] };
  }
}
