import { DATA_MOUNT } from "./data-directory.ts";
import { dockerEngine, findContainer } from "./docker.ts";
import { stopServer } from "./restore/server.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";
import { HELPER_MOUNT } from "./volume/helper.ts";
import { runOnVolume } from "./volume/run.ts";

/** What a shut-down left behind. */
export interface ShutdownReport {
  /** Of the server's process: 0 when it ended in order. */
  readonly exitCode: number;
  readonly seconds: number;
}

/**
 * Stops the server in order and proves that it is gone: its process ended by itself, its port is closed with its
 * container, and its lock on the data volume is free.
 *
 * @throws UserError when it had to be killed, or something still holds the volume.
 */
export async function shutDownServer(target: Target): Promise<ShutdownReport> {
  const docker = dockerEngine(target.dockerHost);
  const started = performance.now();
  await stopServer(target);
  const found = await findContainer(docker, target.container);
  const { Running = false, ExitCode = 0 } = found?.State ?? {};
  if (Running) throw new UserError(`container ${target.container} runs again: something else has started it`);
  if (ExitCode !== 0) {
    throw new UserError(
      `the server did not end in order (exit code ${ExitCode}): it recovers at its next start; pgstack:stopGraceSeconds gives it more time`,
    );
  }
  const volume = found?.Mounts.find(({ Destination }) => Destination === DATA_MOUNT)?.Name;
  if (found !== undefined && volume !== undefined) {
    const command = ["flock", "--nonblock", HELPER_MOUNT, "true"];
    if ((await runOnVolume(docker, { volume, image: found.Image }, command)) !== 0) {
      throw new UserError(`the server has ended, but something else still works on its volume ${volume}`);
    }
  }
  return { exitCode: ExitCode, seconds: (performance.now() - started) / 1_000 };
}
