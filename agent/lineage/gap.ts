import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { isPhysicalIn } from "../entry.ts";
import { readBackups } from "../metadata.ts";
import { archiveGaps } from "../physical/archive.ts";
import { segmentNumber } from "../physical/segments.ts";
import { GAP, oweBackup } from "./owed.ts";

/**
 * Notes that a full backup is to be taken where the log behind a repository's newest physical backup has a gap: no recovery
 * gets beyond it from there.
 *
 * @returns The segment that is missing; undefined where none is.
 */
export async function oweForGap(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<string | undefined> {
  const { entries } = await readBackups(configuration, context);
  const gaps = await archiveGaps(configuration, context, entries);
  for (const { repository, segments } of gaps) {
    const newest = entries.filter(isPhysicalIn(repository)).findLast(({ abandoned }) => abandoned !== true);
    const from = newest?.startWal;
    const lost = segments.find(
      (segment) => from !== undefined && segmentNumber(segment) >= segmentNumber(from),
    );
    if (lost === undefined) continue;
    await oweBackup(configuration, `${GAP} at ${lost}`, context);
    return lost;
  }
  return undefined;
}
