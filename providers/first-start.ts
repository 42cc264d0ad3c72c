import { audited } from "../operations/audit.ts";
import { beginAgain, wasCutOff } from "../operations/begin-again.ts";
import { forgetCluster } from "../operations/known-cluster.ts";
import { ServerNotReady, waitUntilReady } from "../operations/readiness.ts";
import type { Target } from "../operations/target.ts";
import type { FirstProvision } from "./role.ts";

/** The roles of a stack come up side by side; one of them clears up for all. */
const attempts = new Map<string, Promise<boolean>>();

/**
 * Waits for the server; one that cannot start since its first initialization was cut off is begun again once.
 *
 * @throws ServerNotReady
 */
export async function waitForFirstStart(
  target: Target,
  first: FirstProvision,
  timeoutSeconds: number,
): Promise<void> {
  try {
    await waitUntilReady(target, { timeoutSeconds });
  } catch (error) {
    if (!(error instanceof ServerNotReady)) throw error;
    const attempt = attempts.get(first.dataVolume) ?? beginAgainOnce(target, first);
    attempts.set(first.dataVolume, attempt);
    if (!(await attempt)) throw error;
    await waitUntilReady(target, { timeoutSeconds });
  }
}

async function beginAgainOnce(target: Target, first: FirstProvision): Promise<boolean> {
  const { dataVolume, imageId, logsDirectory } = first;
  if (await forgetCluster(target)) return true;
  if (!(await wasCutOff(target, { dataVolume, imageId }))) return false;
  const context = { logsDirectory, stack: target.stack };
  await audited(context, "provision.begin-again", { dataVolume }, () =>
    beginAgain(target, { dataVolume, imageId }),
  );
  return true;
}
