import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { Refusal } from "./failure.ts";
import { readRecordedLineage } from "./lineage/record.ts";
import { query, quoteLiteral } from "./sql.ts";

/**
 * Whether the server runs on the stack's cluster. On a data volume that was emptied it makes a new one, which has not even the
 * stack's database: were it taken for the stack's, its backups would take the place of those that hold the data. A stack that
 * was made again on the backups of an earlier one has made its database before its agent starts.
 */
export async function isOwnCluster(
  configuration: AgentConfiguration,
  { signal }: Pick<Context, "signal">,
): Promise<boolean> {
  const recorded = await readRecordedLineage(configuration);
  if (recorded === undefined) return true;
  const [row] = await query<{ identifier: string; made: boolean }>(
    configuration,
    `SELECT system_identifier::text AS identifier,
            EXISTS (SELECT FROM pg_database WHERE datname = ${quoteLiteral(configuration.database)}) AS made
       FROM pg_control_system()`,
    { signal },
  );
  return row === undefined || row.identifier === recorded.systemIdentifier || row.made;
}

/** @throws Refusal with the way back, where the server does not run on the stack's cluster. */
export async function requireOwnCluster(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  if (await isOwnCluster(configuration, context)) return;
  throw new Refusal(
    "the data volume was emptied, and the server has made a new cluster in it: pgstack restore --latest brings back the stack's; no backup is taken until then",
  );
}
