import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { type BackupEntry, type BackupKind, entryKey, isGood } from "./entry.ts";
import { Refusal } from "./failure.ts";
import { noLongerOwed } from "./lineage/owed.ts";
import { logicalBackup } from "./logical/backup.ts";
import { writeMetadata } from "./metadata.ts";
import { requireOwnCluster } from "./own-cluster.ts";
import { requireOwnPlaces } from "./own-places.ts";
import { physicalBackup } from "./physical/backup.ts";
import { readJournal } from "./restore/swap.ts";
import { withRoom } from "./room.ts";

/** A backup to be taken. */
export interface BackupRequest {
  readonly kind: BackupKind;
  readonly label?: string;
}

/**
 * Takes a backup and enters it, once it is proven to be readable. To be called under the lock.
 *
 * @throws Refusal that names the room of the backup folder where that is what was lacking.
 */
export async function backup(
  configuration: AgentConfiguration,
  request: BackupRequest,
  context: Context,
): Promise<BackupEntry[]> {
  try {
    return await takeBackup(configuration, request, context);
  } catch (error) {
    context.signal.throwIfAborted();
    throw await withRoom(error, configuration);
  }
}

async function takeBackup(
  configuration: AgentConfiguration,
  { kind, label }: BackupRequest,
  context: Context,
): Promise<BackupEntry[]> {
  await requireOwnPlaces(configuration, context);
  await requireOwnCluster(configuration, context);
  const restoring = await readJournal(configuration);
  if (restoring !== undefined && !["swapped", "failed verification"].includes(restoring.phase)) {
    throw new Refusal(`restore ${restoring.id} was interrupted: pgstack restore --resume`);
  }
  const word = label === undefined ? {} : { label };
  const taken =
    kind === "logical"
      ? [await logicalBackup(configuration, word, context)]
      : await physicalBackup(configuration, { kind, ...word }, context);
  const bad = taken.filter((entry) => !isGood(entry));
  if (kind === "full" && bad.length === 0) await noLongerOwed(configuration, context);
  const found = new Map(bad.map((entry) => [entryKey(entry), entry.verification]));
  await writeMetadata(configuration, context, (entry) => found.get(entryKey(entry)));
  if (bad.length > 0) {
    throw new Refusal(
      `the backup is not good and the ones before stay: ${bad.map(({ id, verification }) => `${id}: ${verification.message}`).join("; ")}`,
    );
  }
  return taken;
}
