import { dockerEngine } from "./docker.ts";
import type { Target } from "./target.ts";

/**
 * Sets how many processes and threads a container may have. The Docker provider has no argument for it; the limit stays
 * with the container over restarts.
 */
export async function limitProcesses(target: Target, processes: number): Promise<void> {
  await dockerEngine(target.dockerHost).getContainer(target.container).update({ PidsLimit: processes });
}
