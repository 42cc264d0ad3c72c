import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import type { BackupEntry } from "../entry.ts";
import { readRecordedLineage } from "../lineage/record.ts";
import { archivedIn, archiveRoot } from "../lineage/repository.ts";
import { pushToArchive } from "../physical/push.ts";
import { archiveFolder, SEGMENT_BYTES, segmentNumber, segmentTimeline } from "../physical/segments.ts";
import {
  type ReceivedSegment,
  receivedBytes,
  receivedClusters,
  receivedContent,
  receivedSegments,
  streamRoot,
} from "./folder.ts";
import type { StreamPosition } from "./slot.ts";

/**
 * Removes what was received of segments that the archive holds. What the server has complete is archived from there; what it
 * has no more, since it gave it up or a restore has left its timeline, is archived as it was received.
 */
export async function tidyStream(
  configuration: AgentConfiguration,
  { systemIdentifier, timeline }: Pick<StreamPosition, "systemIdentifier" | "timeline">,
  context: Pick<Context, "signal">,
): Promise<void> {
  const received = await receivedSegments(configuration, systemIdentifier);
  const newest = received.findLast(({ name }) => segmentTimeline(name) === timeline);
  const [repository = "local"] = configuration.physical.repositories;
  const folders = Map.groupBy(
    received.filter((segment) => segment !== newest),
    ({ name }) => archiveFolder(name),
  );
  if (folders.size === 0) return;
  const root = await archiveRoot(configuration, repository, context);
  for (const [folder, segments] of folders) {
    const archived = await archivedIn(configuration, repository, root, folder, context);
    for (const segment of segments) {
      if (!archived.has(segment.name)) {
        if (segmentTimeline(segment.name) === timeline && isWithServer(configuration, segment)) continue;
        if ((await receivedBytes(segment)) < SEGMENT_BYTES) continue;
        await handOver(configuration, segment, context);
      }
      await rm(segment.path, { force: true });
    }
  }
}

/** Removes what was received and no backup leads to any more. */
export async function expireStream(
  configuration: AgentConfiguration,
  entries: readonly BackupEntry[],
): Promise<void> {
  const physical = entries.filter(({ kind }) => kind !== "logical");
  // A backup of an unknown cluster may be of any of them.
  if (physical.some(({ systemIdentifier }) => systemIdentifier === "unknown")) return;
  const current = (await readRecordedLineage(configuration))?.systemIdentifier;
  for (const cluster of await receivedClusters(configuration)) {
    const numbers = physical
      .filter(({ systemIdentifier }) => systemIdentifier === cluster)
      .flatMap(({ startWal }) => (startWal === undefined ? [] : [segmentNumber(startWal)]));
    if (numbers.length === 0) {
      if (current !== undefined && cluster !== current) {
        await rm(join(streamRoot(configuration), cluster), { recursive: true, force: true });
      }
      continue;
    }
    const oldest = Math.min(...numbers);
    for (const { name, path } of await receivedSegments(configuration, cluster)) {
      if (segmentNumber(name) < oldest) await rm(path, { force: true });
    }
  }
}

/** Whether the server has a segment that it has not handed over yet. */
function isWithServer(
  { dataDirectory }: Pick<AgentConfiguration, "dataDirectory">,
  { name }: ReceivedSegment,
): boolean {
  const log = join(dataDirectory, "pg_wal");
  return existsSync(join(log, name)) && !existsSync(join(log, "archive_status", `${name}.done`));
}

async function handOver(
  configuration: AgentConfiguration,
  segment: ReceivedSegment,
  context: Pick<Context, "signal">,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "segment-"));
  try {
    const path = join(folder, segment.name);
    await writeFile(path, await receivedContent(configuration, segment), { mode: 0o600 });
    await pushToArchive(configuration, path, context);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
