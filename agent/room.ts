import type { AgentConfiguration } from "./configuration.ts";
import { messageOf, Refusal } from "./failure.ts";
import { freeBytes } from "./files.ts";

/** A compressed backup takes at least about this part of its database; below it one is not even begun. */
const LEAST_PART = 0.1;
const LEAST_BYTES = 8 * 1024 ** 2;
/** What cannot be archived any more is a segment of the write-ahead log: its room is lacking then. */
const SEGMENT_BYTES = 16 * 1024 ** 2;
const FULL = /no space left|ENOSPC|disk quota/i;
/** pgBackRest's words where a segment that the backup needs did not come into the archive: error 82. */
const NOT_ARCHIVED = /was not archived before|archive.*timeout/i;

type Place = Pick<AgentConfiguration, "backupDirectory">;

/**
 * Makes sure that a backup has some chance of room in the backup folder.
 *
 * @param databaseBytes Size of what is copied whole; 0: only what has changed is.
 * @throws Refusal with the bytes needed and free.
 */
export async function requireRoom({ backupDirectory }: Place, databaseBytes: number): Promise<void> {
  const needed = Math.max(LEAST_BYTES, Math.round(databaseBytes * LEAST_PART));
  const free = await freeBytes(backupDirectory);
  if (free >= needed) return;
  throw new Refusal(
    `no room for a backup in ${backupDirectory}: at least ${needed} bytes are needed and ${free} are free`,
  );
}

/** Whether an error's own words say that the disk is full. */
export function saysFull(error: unknown): boolean {
  return FULL.test(messageOf(error));
}

/**
 * What a backup failed of, with the room of the backup folder where that is what it lacked: a segment that finds none
 * is not archived, and the backup waits for it in vain.
 */
export async function withRoom(error: unknown, { backupDirectory }: Place): Promise<unknown> {
  if (error instanceof Refusal) return error;
  const free = await freeBytes(backupDirectory);
  const waited = NOT_ARCHIVED.test(messageOf(error)) && free < SEGMENT_BYTES;
  if (!waited && !saysFull(error)) return error;
  return new Refusal(
    `no room for a backup in ${backupDirectory}: ${free} bytes are free; make room there, the archive goes on by itself (${messageOf(error)})`,
  );
}
