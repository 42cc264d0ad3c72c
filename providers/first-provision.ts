import { dockerEngine } from "../operations/docker.ts";
import { abandonFirstProvision, isProven } from "../operations/first-provision.ts";
import type { Target } from "../operations/target.ts";
import { errorLine } from "../operations/user-error.ts";
import type { FirstProvision } from "./role.ts";

/**
 * Does work that belongs to a stack's first `up`: when it fails before the cluster was ever found healthy, what this
 * `up` made is cleared away, so that nothing half made stays. A cluster that was healthy once is left as it is.
 */
export async function orAbandon<Value>(
  target: Target,
  first: FirstProvision,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const place = { volume: first.dataVolume, image: first.imageId };
    if (!(await isProven(dockerEngine(target.dockerHost), place.volume, place.image))) {
      await abandonFirstProvision(target, {
        dataVolume: first.dataVolume,
        logsDirectory: first.logsDirectory,
        reason: errorLine(error),
      });
    }
    throw error;
  }
}
