import { readFile, rm } from "node:fs/promises";

import { runProgram } from "./run-program.mjs";

/**
 * Deletes a folder after everything mounted in it is unmounted: deleting
 * through a mount would reach what is mounted there, a bind mount's files too.
 *
 * @param {string} folder
 * @returns {Promise<void>}
 */
export async function removeWithMounts(folder) {
  const mounts = (await readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
  // The innermost were mounted last.
  for (const mount of mounts.reverse()) {
    await runProgram("umount", [mount], { purpose: `removing ${folder}` });
  }
  await rm(folder, { recursive: true, force: true });
}
