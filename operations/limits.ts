import { dockerEngine } from "./docker.ts";
import { lastWords } from "./readiness/last-words.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

/**
 * Sets how many processes and threads a container may have. The Docker provider has no argument for it; the limit stays
 * with the container over restarts.
 *
 * @throws UserError with its last words when the container ended at once.
 */
export async function limitProcesses(target: Target, processes: number): Promise<void> {
  const container = dockerEngine(target.dockerHost).getContainer(target.container);
  try {
    await container.update({ PidsLimit: processes });
  } catch (error) {
    const { State } = await container.inspect();
    if (State.Running && !State.Restarting) throw error;
    const { telling } = await lastWords(target);
    throw new UserError(`the server ended at once: ${telling.join(" | ")}`, { cause: error });
  }
}
