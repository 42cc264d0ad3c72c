import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import { isCode } from "../failure.ts";
import { namesIn } from "../files.ts";
import { readKey } from "../logical/sealed.ts";
import { segmentNumber, segmentStart, segmentTimeline } from "../physical/segments.ts";
import { contentBytes, openFrames } from "./sealing.ts";

/** Ends the name of a file that is encrypted. */
export const SEALED = ".sealed";

/** What was received of one segment of the log. */
export interface ReceivedSegment {
  /** 24 letters. */
  readonly name: string;
  readonly path: string;
  /** When it last grew. */
  readonly at: Date;
}

/** Folder with the received log of every cluster that had its backups here, a folder each by its system identifier. */
export function streamRoot({ backupDirectory }: Pick<AgentConfiguration, "backupDirectory">): string {
  return join(backupDirectory, "stream");
}

/** The received log of a cluster, the oldest segment of the oldest timeline first. */
export async function receivedSegments(
  configuration: Pick<AgentConfiguration, "backupDirectory">,
  systemIdentifier: string,
): Promise<ReceivedSegment[]> {
  const folder = join(streamRoot(configuration), systemIdentifier);
  const segments: ReceivedSegment[] = [];
  for (const file of await namesIn(folder)) {
    const [, name] = /^([0-9A-F]{24})(\.sealed)?$/.exec(file) ?? [];
    if (name === undefined) continue;
    try {
      const path = join(folder, file);
      segments.push({ name, path, at: (await stat(path)).mtime });
    } catch (error) {
      // It has just gone into the archive.
      if (!isCode(error, "ENOENT")) throw error;
    }
  }
  return segments.sort((one, other) => one.name.localeCompare(other.name));
}

/** Bytes of a segment, from its start on, that were received. An encrypted file is read for it. */
export async function receivedBytes({ path }: Pick<ReceivedSegment, "path">): Promise<number> {
  return path.endsWith(SEALED) ? contentBytes(await readFile(path)) : (await stat(path)).size;
}

/** What was received of a segment, decrypted. */
export async function receivedContent(
  { logical }: Pick<AgentConfiguration, "logical">,
  { name, path }: ReceivedSegment,
): Promise<Buffer> {
  const file = await readFile(path);
  return path.endsWith(SEALED) ? openFrames(await readKey(logical.keyFile), name, file) : file;
}

/** LSN up to which the log of a timeline was received, and when; undefined: nothing of it was. */
export async function receivedUntil(
  configuration: Pick<AgentConfiguration, "backupDirectory">,
  { systemIdentifier, timeline }: { readonly systemIdentifier: string; readonly timeline: number },
): Promise<{ readonly lsn: bigint; readonly at: Date } | undefined> {
  const segments = await receivedSegments(configuration, systemIdentifier);
  const last = segments.findLast(({ name }) => segmentTimeline(name) === timeline);
  if (last === undefined) return undefined;
  const bytes = await receivedBytes(last);
  return { lsn: segmentStart(segmentNumber(last.name)) + BigInt(bytes), at: last.at };
}

/** Identifiers of the clusters whose received log is here. */
export async function receivedClusters(
  configuration: Pick<AgentConfiguration, "backupDirectory">,
): Promise<string[]> {
  return namesIn(streamRoot(configuration));
}
