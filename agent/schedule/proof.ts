import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf } from "../failure.ts";
import { freeBytes } from "../files.ts";
import { readManifest } from "../logical/folder.ts";
import { verify } from "../verify.ts";

/** What a throw-away cluster takes beside the data: itself, and the log of what was loaded. */
const CLUSTER_BYTES = 100 * 1024 ** 2;
const MOST_LOG_BYTES = 4 * 1024 ** 3;
const INDEX_PART = 1.5;
const LONGEST_HOURS = 4;
/** Where the stack keeps what it needs itself. */
const OWN_SCHEMA = "pgstack.";

/** A scheduled backup was taken, and a restore of it failed: taking it again would not cure that. */
export class ProofFailed extends Error {}

/**
 * Restores a scheduled dump into a throw-away cluster and compares, and enters what was found: a dump that can be read
 * may still be one that cannot be restored. To be called under the lock.
 *
 * @returns What was done, in words.
 * @throws ProofFailed naming what is wrong.
 */
export async function proveDump(
  configuration: AgentConfiguration,
  id: string,
  context: Context,
): Promise<string> {
  const { entry, tables } = await readManifest(configuration, id);
  // A new stack has nothing yet but its own tables: its first backup is not to take longer for that.
  if (tables.every(({ table }) => table.startsWith(OWN_SCHEMA)))
    return "no table of users to restore for proof";
  const { databaseBytes = entry.bytes } = entry;
  const needed = databaseBytes * INDEX_PART + Math.min(databaseBytes, MOST_LOG_BYTES) + CLUSTER_BYTES;
  const free = await freeBytes(configuration.scratchDirectory);
  if (free < needed) {
    return `${id} was not restored for proof: about ${Math.round(needed)} bytes are needed for it and ${free} are free`;
  }
  const limit = AbortSignal.timeout(LONGEST_HOURS * 3_600_000);
  const bounded: Context = { ...context, signal: AbortSignal.any([context.signal, limit]) };
  try {
    const [result] = await verify(configuration, { id, deep: true }, bounded);
    if (result === undefined || result.problems.length === 0) return `restored for proof: ${id}`;
    throw new ProofFailed(`${id} cannot be relied on: ${result.problems.slice(0, 3).join("; ")}`);
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted) return `${id} was not restored for proof: it takes longer than ${LONGEST_HOURS} hours`;
    throw error instanceof ProofFailed ? error : new ProofFailed(`${id}: ${messageOf(error)}`);
  }
}
