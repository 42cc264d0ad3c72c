import { audited } from "../operations/audit.ts";
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
      await abandon(target, first, errorLine(error));
    }
    throw error;
  }
}

/** Clears away what a first `up` made that failed, and says so in the audit log. */
export async function abandon(
  target: Target,
  { dataVolume, logsDirectory }: Pick<FirstProvision, "dataVolume" | "logsDirectory">,
  reason: string,
): Promise<void> {
  const parameters: Record<string, unknown> = { container: target.container, reason };
  await audited({ logsDirectory, stack: target.stack }, "provision.abandon", parameters, async () => {
    const done = await abandonFirstProvision(target, { dataVolume, logsDirectory, reason });
    parameters.removedContainer = done.removedContainer;
    parameters.removedVolumes = done.removedVolumes;
  });
}
