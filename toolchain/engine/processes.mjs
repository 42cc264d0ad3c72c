import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * The process that a pid file names, if it still runs and is ours: after a
 * kill or a restart of the machine the number may be somebody else's.
 *
 * @param {string} pidFile
 * @param {string} marker a path that only our process has in its command line
 * @returns {Promise<number | undefined>}
 */
export async function runningProcess(pidFile, marker) {
  const text = await readFile(pidFile, "utf8").catch(() => "");
  const pid = Number.parseInt(text, 10);
  if (!Number.isInteger(pid) || pid <= 0) {
    return undefined;
  }
  return (await commandLine(pid)).some((argument) => argument.includes(marker)) ? pid : undefined;
}

/**
 * All processes whose program lies in a folder.
 *
 * @param {string} folder
 * @returns {Promise<number[]>}
 */
export async function processesFrom(folder) {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => Number.isInteger(pid));
  const programs = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/exe`).catch(() => "")));
  return pids.filter((_, index) => programs[index]?.startsWith(`${folder}/`));
}

/**
 * @param {number} pid
 * @returns {Promise<string[]>} nothing for a process that is gone or a zombie
 */
async function commandLine(pid) {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return text.split("\0").filter((argument) => argument !== "");
}

/**
 * @param {number} pid
 * @returns {Promise<boolean>}
 */
export async function isRunning(pid) {
  return (await commandLine(pid)).length > 0;
}

/**
 * @param {number[]} pids
 * @param {NodeJS.Signals | number} signal
 */
export function signalAll(pids, signal) {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}

/**
 * @param {() => Promise<boolean>} condition
 * @param {number} timeoutMilliseconds
 * @returns {Promise<boolean>} false where the time ran out
 */
export async function waitUntil(condition, timeoutMilliseconds) {
  const deadline = Date.now() + timeoutMilliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      return false;
    }
    await sleep(40);
  }
  return true;
}
