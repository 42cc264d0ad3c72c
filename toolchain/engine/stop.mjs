import { resolve } from "node:path";

import { UserError } from "../user-error.mjs";
import { callEngine, engineAnswers } from "./engine-api.mjs";
import { withFileLock } from "./file-lock.mjs";
import { engineHome } from "./home.mjs";
import { stopLeftovers } from "./leftovers.mjs";
import { removeWithMounts } from "./mounts.mjs";
import { isRunning, runningProcess, signalAll, waitUntil } from "./processes.mjs";

/**
 * Stops the engine of a home; it first stops its containers, each within the
 * container's own time.
 *
 * @param {{home: string, log: (line: string) => void, timeoutSeconds?: number}} options
 * @returns {Promise<boolean>} false where it did not run
 */
export async function stopEngine({ home, log, timeoutSeconds = 60 }) {
  const places = engineHome(home);
  return withFileLock(places.lockFile, async () => {
    const pid = await runningProcess(places.engineProcessFile, places.configurationFile);
    if (pid !== undefined) {
      signalAll([pid], "SIGTERM");
      if (!(await waitUntil(async () => !(await isRunning(pid)), timeoutSeconds * 1000))) {
        log(`the engine did not stop in ${timeoutSeconds} s and is killed`);
        signalAll([pid], "SIGKILL");
      }
    }
    await stopLeftovers(places);
    if (pid !== undefined) {
      log("stopped the private Docker engine");
    }
    return pid !== undefined;
  });
}

/**
 * Stops the engine and deletes all it has: images, containers, VOLUMES WITH THEIR DATA.
 *
 * @param {{home: string, log: (line: string) => void}} options
 * @returns {Promise<void>}
 */
export async function removeEngine({ home, log }) {
  if (process.getuid?.() !== 0) {
    throw new UserError(`only root can delete the engine's files in ${resolve(home)}`);
  }
  const { directory, socket } = engineHome(home);
  if (await engineAnswers(socket)) {
    await removeNetworks(socket);
  }
  await stopEngine({ home, log });
  await removeWithMounts(directory);
}

/**
 * Removes all networks, and the containers in their way: their bridges are the
 * machine's and would outlive the engine.
 *
 * @param {string} socket
 */
async function removeNetworks(socket) {
  const [containers, networks] = await Promise.all([
    callEngine(socket, "GET", "/containers/json?all=1"),
    callEngine(socket, "GET", "/networks"),
  ]);
  await Promise.all(
    JSON.parse(containers.text).map((/** @type {{Id: string}} */ { Id }) =>
      callEngine(socket, "DELETE", `/containers/${Id}?force=1`),
    ),
  );
  await Promise.all(
    JSON.parse(networks.text)
      .filter((/** @type {{Driver: string}} */ { Driver }) => Driver === "bridge")
      .map((/** @type {{Id: string}} */ { Id }) => callEngine(socket, "DELETE", `/networks/${Id}`)),
  );
}
