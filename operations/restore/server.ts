import { setTimeout as delay } from "node:timers/promises";
import { agentContainer } from "../agent.ts";
import { dockerEngine, findContainer, statusCode } from "../docker.ts";
import { waitUntilReady } from "../readiness.ts";
import { RECOVERY_PARAMETERS } from "../recovery-parameters.ts";
import { sandboxContainer } from "../sandbox.ts";
import { literal } from "../sql.ts";
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

/** Starts the agent and its sandbox, where the stack has them: Docker does not restart what was killed by hand. */
export async function startAgent(target: Target): Promise<void> {
  const docker = dockerEngine(target.dockerHost);
  for (const name of [sandboxContainer(target.container), agentContainer(target.container)]) {
    const container = await findContainer(docker, name);
    if (container !== undefined) await ignoringSame(docker.getContainer(container.Id).start());
  }
}

/**
 * Clears what a recovery by an earlier version needed, so that the server runs with the stack's own files alone.
 *
 * @returns Whether there was any, which would wait for a restart for ever.
 */
export async function endRecoverySettings(target: Target): Promise<boolean> {
  const names = RECOVERY_PARAMETERS.map(literal).join(", ");
  const left = await queryAsSuperuser(
    target,
    `SELECT name FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf' AND name IN (${names})`,
  );
  if (left.length === 0) return false;
  const resets = RECOVERY_PARAMETERS.map((name) => `ALTER SYSTEM RESET ${name};\n`).join("");
  await runAsSuperuser(target, resets);
  return true;
}

/** Whether the server answers and takes writes. */
export async function isWritable(target: Target): Promise<boolean> {
  return isInRecovery(target).then(
    (recovering) => !recovering,
    () => false,
  );
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
