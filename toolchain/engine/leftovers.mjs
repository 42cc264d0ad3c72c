import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { isRunning, processesFrom, runningProcess, signalAll, waitUntil } from "./processes.mjs";

/** @typedef {import("./home.mjs").EngineHome} EngineHome */

/** How long a container has to stop where it names no time of its own, as in the engine. */
const DEFAULT_STOP_SECONDS = 10;

/**
 * Stops what a killed engine left running: its containers first, the way they
 * ask to be stopped, so that no server ever works on without an engine that
 * knows of it. A new engine then starts them again as their restart policy says.
 *
 * @param {EngineHome} home
 * @returns {Promise<void>}
 */
export async function stopLeftovers(home) {
  const containers = await runningContainers(home);
  await Promise.all(containers.map(stopContainer));
  signalAll(await processesFrom(home.programs), "SIGKILL");
  await waitUntil(async () => (await processesFrom(home.programs)).length === 0, 5000);
  await removeStaleFiles(home);
}

/**
 * Removes files that would keep an engine from starting: pid files whose
 * numbers are somebody else's by now, and an old socket.
 *
 * @param {EngineHome} home
 * @returns {Promise<void>}
 */
async function removeStaleFiles(home) {
  await rm(home.socket, { force: true });
  if ((await runningProcess(home.engineProcessFile, home.configurationFile)) === undefined) {
    await rm(home.engineProcessFile, { force: true });
  }
  if ((await runningProcess(home.containerdProcessFile, home.execRoot)) === undefined) {
    await rm(home.containerdProcessFile, { force: true });
  }
}

/**
 * The first process of a container; the kernel ends all others with it.
 *
 * @typedef {object} RunningContainer
 * @property {number} pid
 * @property {number | NodeJS.Signals} stopSignal
 * @property {number} stopSeconds
 */

/**
 * @param {EngineHome} home
 * @returns {Promise<RunningContainer[]>}
 */
async function runningContainers(home) {
  const tasks = join(home.execRoot, "containerd", "daemon", "io.containerd.runtime.v2.task", "moby");
  const names = await readdir(tasks).catch(() => /** @type {string[]} */ ([]));
  const containers = await Promise.all(
    names.map(async (name) => {
      const pid = Number.parseInt(await readFile(join(tasks, name, "init.pid"), "utf8").catch(() => ""), 10);
      const cgroups = Number.isInteger(pid)
        ? await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "")
        : "";
      // The number may be another process's by now.
      return cgroups.includes(name) ? [{ pid, ...(await readStopSettings(home, name)) }] : [];
    }),
  );
  return containers.flat();
}

/**
 * @param {EngineHome} home
 * @param {string} name
 * @returns {Promise<Omit<RunningContainer, "pid">>}
 */
async function readStopSettings(home, name) {
  const file = join(home.dataRoot, "containers", name, "config.v2.json");
  /** @type {{Config?: {StopSignal?: string, StopTimeout?: number}}} */
  const container = JSON.parse(await readFile(file, "utf8").catch(() => "{}"));
  const signal = container.Config?.StopSignal ?? "SIGTERM";
  const fullName = signal.startsWith("SIG") ? signal : `SIG${signal}`;
  return {
    stopSignal: /^\d+$/.test(signal) ? Number(signal) : /** @type {NodeJS.Signals} */ (fullName),
    stopSeconds: container.Config?.StopTimeout ?? DEFAULT_STOP_SECONDS,
  };
}

/**
 * @param {RunningContainer} container
 */
async function stopContainer({ pid, stopSignal, stopSeconds }) {
  const ended = async () => !(await isRunning(pid));
  signalAll([pid], stopSignal);
  if (!(await waitUntil(ended, stopSeconds * 1000))) {
    signalAll([pid], "SIGKILL");
    await waitUntil(ended, 5000);
  }
}
