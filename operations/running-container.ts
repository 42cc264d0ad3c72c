import { setTimeout as delay } from "node:timers/promises";
import { dockerEngine, findContainer } from "./docker.ts";
import { heldReason } from "./held.ts";
import { SqlError } from "./superuser.ts";
import type { Target } from "./target.ts";

/** Between what fails by a container's end and the moment at which the engine says that it has ended. */
const LONGEST_END_MILLISECONDS = 3_000;
const POLL_MILLISECONDS = 100;

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
    if (await runsOn(target, running, error)) throw error;
    return instead();
  }
}

/** Whether the container still runs after something in it has failed. */
async function runsOn(target: Target, id: string, error: unknown): Promise<boolean> {
  // What a server has refused does not come of its end.
  const refused = error instanceof SqlError && error.code !== undefined;
  const deadline = performance.now() + (refused ? 0 : LONGEST_END_MILLISECONDS);
  for (;;) {
    if ((await idOfRunning(target)) !== id) return false;
    if (performance.now() >= deadline) return true;
    await delay(POLL_MILLISECONDS);
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
