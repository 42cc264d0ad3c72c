import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { UserError } from "../user-error.mjs";
import { runProgram } from "./run-program.mjs";

const OWN_ENGINE = "or install Docker Engine 24 or newer and point DOCKER_HOST to it";

/**
 * Checks that the private engine can run on this machine, its files in this folder.
 *
 * @param {string} directory
 * @returns {Promise<void>}
 * @throws {UserError} with the first thing that is missing
 */
export async function requireEngineCanRun(directory) {
  if (process.getuid?.() !== 0) {
    throw new UserError(`the private engine must be started by root: use sudo, ${OWN_ENGINE}`);
  }
  await requireCgroups();
  await requireOverlay(directory);
}

/** Memory limits and clean stops of containers rest on these. */
async function requireCgroups() {
  if (existsSync("/sys/fs/cgroup/cgroup.controllers")) {
    return;
  }
  const mounts = await readFile("/proc/self/mounts", "utf8");
  const missing = ["devices", "freezer", "memory", "pids"].filter(
    (controller) =>
      !mounts.split("\n").some((line) => {
        const [, , type, settings] = line.split(" ");
        return type === "cgroup" && settings?.split(",").includes(controller);
      }),
  );
  if (missing.length > 0) {
    throw new UserError(
      `the private engine needs cgroups, not mounted here: ${missing.join(", ")}: mount them, ${OWN_ENGINE}`,
    );
  }
}

/**
 * Only a mount tells: overlay may be missing in the kernel, forbidden in a
 * container, or impossible on this file system.
 *
 * @param {string} directory
 */
async function requireOverlay(directory) {
  await mkdir(directory, { recursive: true });
  const trial = await mkdtemp(join(directory, "overlay-trial-"));
  try {
    await Promise.all(["lower", "upper", "work", "merged"].map((name) => mkdir(join(trial, name))));
    const layers = `lowerdir=${trial}/lower,upperdir=${trial}/upper,workdir=${trial}/work`;
    await runProgram("mount", ["-t", "overlay", "overlay", "-o", layers, join(trial, "merged")]);
    await runProgram("umount", [join(trial, "merged")]);
  } catch (cause) {
    throw new UserError(
      `the private engine needs overlay mounts, impossible in ${directory}: choose a folder on ext4 or xfs, load the kernel module overlay, ${OWN_ENGINE}`,
      { cause },
    );
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}
