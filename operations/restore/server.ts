import { setTimeout as delay } from "node:timers/promises";
import { dockerEngine, statusCode } from "../docker.ts";
import { waitUntilReady } from "../readiness.ts";
import { RECOVERY_PARAMETERS } from "../recovery-parameters.ts";
import { queryAsSuperuser, runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";

/** Stops the server as its container says, and returns when it has ended. */
export async function stopServer(target: Target): Promise<void> {
  await ignoringSame(dockerEngine(target.dockerHost).getContainer(target.container).stop());
}

/** Starts the server and returns when it answers and has ended a recovery, if it was in one. */
export async function startServer(
  target: Target,
  timeoutSeconds: number,
  signal?: AbortSignal,
): Promise<void> {
  await ignoringSame(dockerEngine(target.dockerHost).getContainer(target.container).start());
  await waitUntilReady(target, { timeoutSeconds, ...(signal === undefined ? {} : { signal }) });
  const deadline = performance.now() + timeoutSeconds * 1_000;
  while (await isInRecovery(target)) {
    signal?.throwIfAborted();
    if (performance.now() > deadline) {
      throw new Error(`the server has not ended its recovery within ${timeoutSeconds} seconds`);
    }
    await delay(100);
  }
}

/** Clears what a recovery needed, so that the server runs with the stack's own files alone. */
export async function endRecoverySettings(target: Target): Promise<void> {
  const resets = RECOVERY_PARAMETERS.map((name) => `ALTER SYSTEM RESET ${name};\n`).join("");
  await runAsSuperuser(target, resets);
}

/** Whether the server answers and takes writes. */
export async function isWritable(target: Target): Promise<boolean> {
  return isInRecovery(target).then(
    (recovering) => !recovering,
    () => false,
  );
}

/** Everything that was archived is not enough: a server at the end of the archive waits for more until it is told. */
export async function promote(target: Target): Promise<void> {
  await runAsSuperuser(target, "SELECT pg_promote(true, 600);\n", { timeoutMilliseconds: 610_000 });
}

async function isInRecovery(target: Target): Promise<boolean> {
  const [row] = await queryAsSuperuser<{ recovering: boolean }>(
    target,
    "SELECT pg_is_in_recovery() AS recovering",
    { timeoutMilliseconds: 10_000 },
  );
  return row?.recovering === true;
}

/** 304: it is in that state already. */
async function ignoringSame(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (statusCode(error) !== 304) throw error;
  }
}
