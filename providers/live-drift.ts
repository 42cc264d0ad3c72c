import { dockerEngine, findContainer } from "../operations/docker.ts";
import { ServerNotReady, waitUntilReady } from "../operations/readiness.ts";
import type { Target } from "../operations/target.ts";

/**
 * What differs on the live server, a line each. A server that is away or will not come up is a difference too: an `up`
 * then does the work again, and ends with the reason if it still cannot.
 */
export async function liveDrift(
  target: Target,
  name: string,
  timeoutSeconds: number,
  plan: () => Promise<readonly { readonly description: string }[]>,
): Promise<string[]> {
  const container = await findContainer(dockerEngine(target.dockerHost), target.container);
  if (container?.State.Running !== true) return [`${name}: its server does not run`];
  try {
    await waitUntilReady(target, { timeoutSeconds });
  } catch (error) {
    if (error instanceof ServerNotReady) return [`${name}: ${error.message}`];
    throw error;
  }
  return (await plan()).map(({ description }) => description);
}
