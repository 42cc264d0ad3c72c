import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

import { UserError } from "../user-error.mjs";

/**
 * Runs a task while no other process runs one under the same lock file.
 *
 * The lock is the kernel's, held by util-linux's `flock`, which ends with our
 * standard input: a killed process leaves no stale lock behind.
 *
 * @template Result
 * @param {string} lockFile
 * @param {() => Promise<Result>} task
 * @param {{timeoutSeconds?: number}} [options]
 * @returns {Promise<Result>}
 */
export async function withFileLock(lockFile, task, { timeoutSeconds = 600 } = {}) {
  await mkdir(dirname(lockFile), { recursive: true });
  const release = await acquire(lockFile, timeoutSeconds);
  try {
    return await task();
  } finally {
    await release();
  }
}

/**
 * @param {string} lockFile
 * @param {number} timeoutSeconds
 * @returns {Promise<() => Promise<void>>} releases the lock
 */
function acquire(lockFile, timeoutSeconds) {
  return new Promise((resolve, reject) => {
    const holder = spawn(
      "flock",
      [
        "--exclusive",
        "--timeout",
        String(timeoutSeconds),
        lockFile,
        "sh",
        "-c",
        "echo locked; exec cat >/dev/null",
      ],
      { stdio: ["pipe", "pipe", "ignore"] },
    );
    const ended = new Promise((resolveEnd) => holder.once("close", resolveEnd));
    holder.once("error", (cause) => {
      reject(
        new UserError(`cannot lock ${lockFile}: the program flock is missing, install util-linux`, { cause }),
      );
    });
    holder.once("exit", () => {
      reject(new UserError(`waited ${timeoutSeconds} s for another process that holds ${lockFile}`));
    });
    holder.stdout.once("data", () => {
      resolve(async () => {
        holder.stdin.end();
        await ended;
      });
    });
  });
}
