import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const PROJECT_DIRECTORY = dirname(dirname(fileURLToPath(import.meta.url)));

/** Has Pulumi hold a run against the project's policies. */
export const POLICIES = ["--policy-pack", "policies"];

/** Comes first on PATH in a shell with `pgstack env`: `pulumi` with the policies. */
export const SHELL_PROGRAMS = join(PROJECT_DIRECTORY, "toolchain", "bin");

/** What a run of this checkout keeps: the stacks' state, the passphrase, the tools' settings. */
export const STATE_DIRECTORY = join(PROJECT_DIRECTORY, ".pgstack");

/**
 * Tools, shared by all checkouts of this user; may be deleted at any time.
 *
 * @param {NodeJS.ProcessEnv} [environment]
 */
export function cacheDirectory(environment = process.env) {
  return join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "pgstack");
}

/**
 * The private Docker engine with its images and volumes: data, not cache.
 *
 * @param {NodeJS.ProcessEnv} [environment]
 */
export function engineDirectory(environment = process.env) {
  return (
    environment.PGSTACK_ENGINE_HOME ||
    join(environment.XDG_STATE_HOME || join(homedir(), ".local", "state"), "pgstack", "engine")
  );
}
