import { readdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { PROJECT_DIRECTORY, STATE_DIRECTORY } from "./directories.mjs";
import { endOrphanedPlugins } from "./orphaned-plugins.mjs";
import { run } from "./run.mjs";

/**
 * Pulumi's locks of a stack in this checkout's own state whose holder is no longer alive: a killed run leaves its own.
 *
 * @param {string} stack
 * @returns {Promise<number[]>} process ids of the dead holders
 */
export async function deadLockHolders(stack) {
  const { locks, dead } = await lockHolders(stack);
  return dead.length === locks ? dead : [];
}

/**
 * Whether a run of Pulumi on a stack in this checkout's own state is at work, or may be.
 *
 * @param {string} stack
 */
export async function isLocked(stack) {
  const { locks, dead } = await lockHolders(stack);
  return dead.length < locks;
}

/** @param {string} stack */
async function lockHolders(stack) {
  const folder = join(STATE_DIRECTORY, "state", ".pulumi", "locks", "organization", "pgstack", stack);
  // A killed run may leave a file under its temporary name, too.
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json"));
  /** @type {number[]} */
  const dead = [];
  for (const name of names) {
    const lock = await readFile(join(folder, name), "utf8")
      .then(JSON.parse)
      .catch(() => undefined);
    if (lock?.hostname === hostname() && Number.isInteger(lock.pid) && !(await isAlive(lock.pid)))
      dead.push(lock.pid);
  }
  return { locks: names.length, dead };
}

/**
 * Releases the lock that a killed run left, and ends its plugins. A living holder's lock stays: Pulumi then says who has it.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment
 */
export async function releaseDeadLocks(stack, environment) {
  const dead = await deadLockHolders(stack);
  if (dead.length === 0) return;
  console.error(
    `A run that was killed (process ${dead.join(", ")}) left its lock on stack ${stack}: it is released.`,
  );
  await endOrphanedPlugins();
  await run("pulumi", ["cancel", "--yes", "--stack", stack], { cwd: PROJECT_DIRECTORY, env: environment });
}

/** @param {number} pid */
async function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EPERM") return false;
  }
  // The number may be another program's by now, or that of a zombie, which holds nothing any more; where that cannot be told,
  // the holder counts as alive. The name is in parentheses, and the state comes after it (proc(5), stat).
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "0 (pulumi) S");
  const [, name, state] = /\((.*)\) (\S)/s.exec(stat) ?? [];
  return name === "pulumi" && state !== "Z" && state !== "X";
}
