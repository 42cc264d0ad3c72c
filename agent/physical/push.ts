import { basename } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf } from "../failure.ts";
import { archivePush } from "./pgbackrest.ts";
import { enqueue, queueState } from "./queue.ts";

/** One segment, compressed. */
const PUSH_SECONDS = 60;
/** Seconds that an object storage beside a local repository may take before it counts as away. */
const PATIENCE_SECONDS = 20;

/**
 * Puts a file of the write-ahead log into the archive. What is there already with the same content is no error.
 *
 * With a local repository and an object storage pgBackRest writes to neither when one of them is away. So the local one
 * comes first and must succeed; what the storage then does not take is noted by name, and handed over later.
 *
 * @throws Error when the first repository does not take it.
 */
export async function pushToArchive(
  configuration: AgentConfiguration,
  path: string,
  context: Pick<Context, "signal">,
): Promise<void> {
  const [first = "local", ...others] = configuration.physical.repositories;
  await archivePush(configuration, first, { path, timeoutSeconds: PUSH_SECONDS }, context);
  if (others.length === 0) return;
  // What waits already tells that the storage is away: trying again is the queue's.
  if ((await queueState(configuration)).waiting === 0) {
    try {
      for (const repository of others)
        await archivePush(configuration, repository, { path, timeoutSeconds: PATIENCE_SECONDS }, context);
      return;
    } catch (error) {
      context.signal.throwIfAborted();
      console.error(`the object storage did not take ${basename(path)}: ${messageOf(error)}`);
    }
  }
  await enqueue(configuration, basename(path));
}
