import { dockerEngine, findContainer } from "./docker.ts";
import { heldReason } from "./held.ts";
import type { Target } from "./target.ts";

/**
 * Does something in the server's container. Where Pulumi has removed that beside it, since the network is replaced for example, it
 * did not fail: `instead` says what follows without a running server.
 *
 * @throws what the work throws while the container runs on.
 */
export async function inRunningContainer<Value>(
  target: Target,
  work: () => Promise<Value>,
  instead: () => Value | Promise<Value>,
): Promise<Value> {
  const running = await idOfRunning(target);
  if (running === undefined) return instead();
  try {
    return await work();
  } catch (error) {
    if ((await idOfRunning(target)) === running) throw error;
    return instead();
  }
}

/** Whether the container runs, and the server in it is not held back: else there is nothing to be asked for anything. */
export async function mayBeAsked(target: Target): Promise<boolean> {
  return (await idOfRunning(target)) !== undefined && (await heldReason(target)) === undefined;
}

async function idOfRunning({ dockerHost, container }: Target): Promise<string | undefined> {
  const found = await findContainer(dockerEngine(dockerHost), container);
  return found?.State.Running === true ? found.Id : undefined;
}
