import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { query, quoteLiteral } from "../sql.ts";
import { requireWhole } from "./bring-back.ts";
import { logicalDirectory, readManifest } from "./folder.ts";
import { describeLosses } from "./losses.ts";
import { shownName } from "./names.ts";
import { compareParts } from "./parts.ts";
import { places } from "./places.ts";
import { withRestoredDump } from "./restored-dump.ts";
import { describeProperties } from "./restored-properties.ts";
import { isPartial, type Selection } from "./selection.ts";
import { hasRelation, hasSchema, tableOfContents } from "./table-of-contents.ts";

/** What the restore of a dump would do beside putting data back. */
export interface RestorePlan {
  /** What is good to know. */
  readonly notes: readonly string[];
  /** What stands now and would not stand afterwards, a line each. */
  readonly losses: readonly string[];
}

/**
 * Plans the restore of a dump: nothing is changed, and what it would refuse is refused here, before a backup of the
 * present state is taken for it.
 */
export async function planRestore(
  configuration: AgentConfiguration,
  id: string,
  selection: Selection,
  context: Context,
): Promise<RestorePlan> {
  const { database, files } = await readManifest(configuration, id);
  await requireWhole(join(logicalDirectory(configuration), id), files, id);
  if (!isPartial(selection)) return planWhole(configuration, { id, database }, context);
  await requireInBackup(configuration, id, selection, context);
  context.step("comparing with what is there");
  const purpose = { id, database, purpose: "plan", schemaOnly: true };
  const { losses } = await withRestoredDump(configuration, purpose, context, (stored) =>
    compareParts(configuration, { database, selection, stored }, context),
  );
  return { notes: [], losses: losses.map(({ object }) => object) };
}

/** @throws Refusal that names what would be lost, unless that was accepted. */
export function requireAccepted(losses: readonly string[], accepted: boolean): void {
  if (!accepted && losses.length > 0) throw new Refusal(describeLosses(losses));
}

/** Plans the restore of the whole database. */
export async function planWhole(
  configuration: AgentConfiguration,
  restored: { readonly id: string; readonly database: string },
  context: Context,
): Promise<RestorePlan> {
  await places(configuration, restored, context);
  const { notes, losses } = await describeProperties(configuration, restored, context);
  return { notes: [...notes, ...(await leftBehind(configuration, restored.database, context))], losses };
}

/** What belongs to a database and cannot go from one to another. */
async function leftBehind(
  configuration: AgentConfiguration,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<string[]> {
  const [found] = await query<{ slots: string[]; subscriptions: string[] }>(
    configuration,
    `SELECT ARRAY(SELECT slot_name::text FROM pg_replication_slots WHERE database = ${quoteLiteral(database)} ORDER BY 1) AS slots,
            ARRAY(SELECT subname::text FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
                   WHERE d.datname = ${quoteLiteral(database)} ORDER BY 1) AS subscriptions`,
    { signal },
  );
  const { slots = [], subscriptions = [] } = found ?? {};
  return [
    ...(slots.length === 0
      ? []
      : [
          `logical replication slots stay with the database from before, and their subscribers have to begin again: ${slots.join(", ")}`,
        ]),
    ...(subscriptions.length === 0
      ? []
      : [
          `subscriptions are disabled afterwards, ALTER SUBSCRIPTION … ENABLE starts them: ${subscriptions.join(", ")}`,
        ]),
  ];
}

/** @throws Refusal naming what a dump has not, by its table of contents. */
export async function requireInBackup(
  configuration: AgentConfiguration,
  id: string,
  { schemas, tables }: Selection,
  context: Context,
): Promise<void> {
  const entries = await tableOfContents(configuration, id, context);
  const missing = [
    ...tables.filter((table) => !hasRelation(entries, table)).map(shownName),
    ...schemas.filter((schema) => !hasSchema(entries, schema)).map((schema) => `schema ${schema}`),
  ];
  if (missing.length > 0) throw new Refusal(`the backup has no ${missing.join(", ")}: nothing was changed`);
}
