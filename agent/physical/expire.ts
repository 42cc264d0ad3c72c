import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { type BackupEntry, entryKey, isPhysicalIn } from "../entry.ts";
import { readBackups } from "../metadata.ts";
import { type ArchiveBoundary, archiveBoundary } from "./archive-boundary.ts";
import { withHistories } from "./histories.ts";
import { ANNOTATION, physicalEntries } from "./info.ts";
import { pgbackrest } from "./pgbackrest.ts";
import { queuedSegments } from "./queue.ts";
import { segmentTimeline } from "./segments.ts";

/** Removes backups, each from its own repository, with those that rest on them. */
export async function expirePhysical(
  configuration: AgentConfiguration,
  going: readonly BackupEntry[],
  context: Context,
): Promise<void> {
  for (const [index, repository] of configuration.physical.repositories.entries()) {
    for (const entry of going.filter(({ repositories }) => repositories.includes(repository))) {
      // It may have gone with what it rested on.
      const there = (await physicalEntries(configuration, context)).map(entryKey);
      if (!there.includes(entryKey(entry))) continue;
      context.step(`removing ${entry.id} from repository ${repository}`);
      await pgbackrest(configuration, "expire", {
        options: [`--set=${entry.id}`, `--repo=${index + 1}`],
        context,
      });
    }
  }
}

/**
 * Notes in each repository from which backup on its archive will stay whole. It is noted before any backup and any log is
 * removed: whatever looks for gaps, or for a way to a point in time, goes by it from then on.
 *
 * @param entries The backups that stay.
 */
export async function noteBoundaries(
  configuration: AgentConfiguration,
  entries: readonly BackupEntry[],
  context: Context,
): Promise<void> {
  for (const [index, repository] of configuration.physical.repositories.entries()) {
    const boundary = await boundaryOf(configuration, entries.filter(isPhysicalIn(repository)), context);
    for (const { id, startWal, logFrom } of boundary?.backups ?? []) {
      if (startWal === undefined || logFrom !== undefined) continue;
      await pgbackrest(configuration, "annotate", {
        options: [`--set=${id}`, `--repo=${index + 1}`, `--annotation=${ANNOTATION.logFrom}=${startWal}`],
        context,
      });
    }
  }
}

/** Removes from each repository the log before what {@link noteBoundaries} has noted. */
export async function expireArchive(configuration: AgentConfiguration, context: Context): Promise<void> {
  const { entries, unreadable } = await readBackups(configuration, context);
  for (const [index, repository] of configuration.physical.repositories.entries()) {
    if (unreadable.includes(repository)) continue;
    const boundary = await boundaryOf(configuration, entries.filter(isPhysicalIn(repository)), context);
    // What is not noted would pass for a gap.
    if (boundary === undefined || boundary.backups.some(({ logFrom }) => logFrom === undefined)) continue;
    context.step(`removing the log before the window from repository ${repository}`);
    const number = index + 1;
    const before = Math.max(...boundary.backups.map(({ startWal = "" }) => segmentTimeline(startWal)));
    await withHistories(configuration, { repository, before }, context, () =>
      pgbackrest(configuration, "expire", {
        options: [
          `--repo=${number}`,
          `--repo${number}-retention-archive-type=incr`,
          `--repo${number}-retention-archive=${boundary.count}`,
        ],
        context,
      }),
    );
  }
}

async function boundaryOf(
  configuration: AgentConfiguration,
  entries: readonly BackupEntry[],
  context: Pick<Context, "signal">,
): Promise<ArchiveBoundary | undefined> {
  context.signal.throwIfAborted();
  const { pitrDays } = configuration.retention;
  // The object storage gets what it lacks out of the first repository.
  const segments = await queuedSegments(configuration);
  return archiveBoundary(entries, { pitrDays, now: new Date(), segments });
}
