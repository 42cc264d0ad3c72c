import { DATA_MOUNT } from "./data-directory.ts";
import { dockerEngine, findContainer } from "./docker.ts";
import { stopServer } from "./restore/server.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";
import { HELPER_MOUNT } from "./volume/helper.ts";
import { runOnVolume } from "./volume/run.ts";

/** What a shut-down left behind. */
export interface ShutdownReport {
  /** False: it had ended already. */
  readonly wasRunning: boolean;
  /** Of the server's process: 0 when it ended gracefully, so that its next start needs no recovery. */
  readonly exitCode: number;
  readonly seconds: number;
}

/**
 * Stops the server gracefully and proves that it is gone: its process has ended, its port is closed with its container, and
 * its lock on the data volume is free.
 *
 * @throws UserError when there is no container, or something still holds the volume.
 */
export async function shutDownServer(target: Target): Promise<ShutdownReport> {
  const docker = dockerEngine(target.dockerHost);
  const started = performance.now();
  const before = await findContainer(docker, target.container);
  if (before === undefined) {
    throw new UserError(
      `there is no container ${target.container}: pulumi up --refresh creates it on the volume as it is`,
    );
  }
  const wasRunning = before.State.Running;
  if (wasRunning) await stopServer(target);
  const found = await findContainer(docker, target.container);
  if (found?.State.Running === true) {
    throw new UserError(`container ${target.container} runs again: something else has started it`);
  }
  const volume = found?.Mounts.find(({ Destination }) => Destination === DATA_MOUNT)?.Name;
  if (found !== undefined && volume !== undefined) {
    const command = ["flock", "--nonblock", HELPER_MOUNT, "true"];
    if ((await runOnVolume(docker, { volume, image: found.Image }, command)) !== 0) {
      throw new UserError(`the server has ended, but something else still works on its volume ${volume}`);
    }
  }
  const seconds = (performance.now() - started) / 1_000;
  return { wasRunning, exitCode: found?.State.ExitCode ?? 0, seconds };
}

/** How a server that was killed, or had crashed, is told of. */
export function notGraceful({ exitCode }: ShutdownReport): string {
  return `the server did not end gracefully (exit code ${exitCode}): it recovers at its next start`;
}
