import { backup } from "../backup.ts";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { type BackupEntry, isGood } from "../entry.ts";
import { readBackups } from "../metadata.ts";
import { type Lineage, readLineage, writeLineage } from "./record.ts";

/** Begins the reason why a backup is owed for a gap in the archive. */
export const GAP = "a gap in the archive";

/**
 * Takes the full backup that is owed, so that the timeline that a restore began has a base of its own. To be called under
 * the lock: whoever comes second finds it taken.
 *
 * @param options.takenToo Also the one that somebody else has taken since the present timeline began.
 * @returns The backup; undefined when none is owed.
 */
export async function takeOwedBackup(
  configuration: AgentConfiguration,
  context: Context,
  { takenToo = false } = {},
): Promise<BackupEntry | undefined> {
  const lineage = await readLineage(configuration, context);
  if (lineage?.owed === undefined) {
    if (!takenToo || lineage === undefined) return undefined;
    const { entries } = await readBackups(configuration, context);
    return entries.find((entry) => isBase(entry) && entry.startedAt >= wholeSecond(lineage.at));
  }
  const { entries } = await readBackups(configuration, context);
  const taken = entries.findLast((entry) => settles(entry, lineage));
  if (taken === undefined) {
    const [entry] = await backup(
      configuration,
      { kind: "full", label: lineage.owed.by.startsWith(GAP) ? "after a gap" : "after restore" },
      context,
    );
    return entry;
  }
  await noLongerOwed(configuration, context);
  return taken;
}

/** Notes that a full backup has been taken, where one was owed. */
export async function noLongerOwed(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  const lineage = await readLineage(configuration, context);
  if (lineage?.owed === undefined) return;
  const { owed: _, ...settled } = lineage;
  await writeLineage(configuration, settled, context);
}

/** Notes that a full backup is to be taken as soon as it can be. */
export async function oweBackup(
  configuration: AgentConfiguration,
  by: string,
  context: Pick<Context, "signal">,
): Promise<void> {
  const lineage = await readLineage(configuration, context);
  if (lineage === undefined || lineage.owed !== undefined) return;
  await writeLineage(configuration, { ...lineage, owed: { since: new Date().toISOString(), by } }, context);
}

function settles(entry: BackupEntry, { owed }: Lineage): boolean {
  return owed !== undefined && isBase(entry) && entry.startedAt >= wholeSecond(owed.since);
}

function isBase(entry: BackupEntry): boolean {
  return entry.kind === "full" && entry.abandoned !== true && isGood(entry);
}

/** pgBackRest tells whole seconds. */
function wholeSecond(at: string): string {
  return `${at.slice(0, 19)}.000Z`;
}
