import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { type BackupEntry, entryKey } from "./entry.ts";
import { logicalDirectory, unfinishedDirectory } from "./logical/folder.ts";
import { readBackups, writeMetadata } from "./metadata.ts";
import { expireArchive, expirePhysical, noteBoundaries } from "./physical/expire.ts";
import { type Fate, planRetention } from "./retention.ts";
import { expireStream } from "./stream/tidy.ts";

/** Removes the backups that retention does not keep, and the log before the window. To be called under the lock. */
export async function prune(
  configuration: AgentConfiguration,
  { dryRun }: { readonly dryRun: boolean },
  context: Context,
): Promise<Fate[]> {
  const { entries, unreadable } = await readBackups(configuration, context);
  const fates = planRetention(entries, configuration.retention, new Date());
  if (dryRun) return fates;
  const going = fates.filter(({ kept }) => !kept).map(({ entry }) => entry);
  for (const { id, kind } of going) {
    if (kind !== "logical") continue;
    context.step(`removing ${id}`);
    // Under the other name it is swept up, should this be cut off.
    const unfinished = unfinishedDirectory(configuration, id);
    await rename(join(logicalDirectory(configuration), id), unfinished);
    await rm(unfinished, { recursive: true, force: true });
  }
  const gone = new Set(going.map(entryKey));
  const staying = entries.filter((entry) => !gone.has(entryKey(entry)));
  const within = (entry: BackupEntry) => !entry.repositories.some((name) => unreadable.includes(name));
  await noteBoundaries(configuration, staying.filter(within), context);
  const physical = going.filter(({ kind }) => kind !== "logical");
  if (physical.length > 0) await expirePhysical(configuration, physical, context);
  await expireArchive(configuration, context);
  if (going.length > 0) await writeMetadata(configuration, context);
  await expireStream(configuration, staying);
  return fates;
}
