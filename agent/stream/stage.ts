import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import { type Chain, lastTimeline } from "../lineage/chain.ts";
import {
  SEGMENT_BYTES,
  segmentAt,
  segmentNumber,
  segmentStart,
  segmentTimeline,
} from "../physical/segments.ts";
import { receivedContent, receivedSegments } from "./folder.ts";

/** What of the received log was laid ready for a recovery. */
export interface StagedLog {
  /** Segments, whole or not. */
  readonly names: readonly string[];
  /** Those that are whole. */
  readonly whole: readonly string[];
  /** LSN behind the last byte, of the timeline that recovery follows; absent where nothing of it was received. */
  readonly until?: bigint;
}

/** What {@link stageReceived} looks for. */
export interface StageOptions {
  /** The cluster that is to recover. */
  readonly directory: string;
  readonly systemIdentifier: string;
  readonly chain: Chain;
  /** The segment that its base begins in. */
  readonly from: string;
}

export const NOTHING_STAGED: StagedLog = { names: [], whole: [] };

/**
 * Lays the received log into a restored cluster, where its server looks for what the archive does not have; that server is
 * the one that ends the recovery, too, and needs nothing else for it. To be called before the archive is listed: what goes
 * from here meanwhile is there then.
 */
export async function stageReceived(
  configuration: Pick<AgentConfiguration, "backupDirectory" | "logical">,
  { directory, systemIdentifier, chain, from }: StageOptions,
): Promise<StagedLog> {
  const received = (await receivedSegments(configuration, systemIdentifier)).filter(
    ({ name }) => segmentNumber(name) >= segmentNumber(from) && isOf(chain, name),
  );
  const log = join(directory, "pg_wal");
  await mkdir(join(log, "archive_status"), { recursive: true, mode: 0o700 });
  const whole: string[] = [];
  let until: bigint | undefined;
  for (const segment of received) {
    const { name } = segment;
    const content = await receivedContent(configuration, segment);
    const padding = Buffer.alloc(SEGMENT_BYTES - content.length);
    await writeFile(join(log, name), Buffer.concat([content, padding]), { mode: 0o600, flush: true });
    // It is not the restored server's to archive.
    await writeFile(join(log, "archive_status", `${name}.done`), "", { mode: 0o600 });
    if (content.length === SEGMENT_BYTES) whole.push(name);
    if (segmentTimeline(name) !== lastTimeline(chain)) continue;
    until = segmentStart(segmentNumber(name)) + BigInt(content.length);
  }
  return {
    names: received.map(({ name }) => name),
    whole,
    ...(until === undefined ? {} : { until }),
  };
}

/** Whether a segment lies on the way of a chain; that in which a timeline was left is on the one that follows. */
function isOf(chain: Chain, name: string): boolean {
  const index = chain.findIndex(({ timeline }) => timeline === segmentTimeline(name));
  const stretch = chain[index];
  if (stretch === undefined) return false;
  const begin = chain[index - 1]?.until;
  const number = segmentNumber(name);
  return (
    (begin === undefined || number >= segmentAt(begin)) &&
    (stretch.until === undefined || number < segmentAt(stretch.until))
  );
}
