import { lstat, mkdir, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { STATE_DIRECTORY } from "./directories.mjs";
import { ownStacks } from "./own-stacks.mjs";
import { ensurePassphrase, PASSPHRASE } from "./passphrase.mjs";

const RECORD = join(STATE_DIRECTORY, "environment.json");

/**
 * @typedef {object} Tools
 * @property {string} node path of the Node.js program
 * @property {string} tools folder with `bin` and `plugins`
 * @property {string} dockerHost
 * @property {string} [asked] the engine that was asked for by DOCKER_HOST; empty when none was
 * @property {string} [image] default image where no registry has one
 * @property {"internet" | "registries"} way how the tools came here
 */

/**
 * The variables by which `pulumi` and `pgstack` find this checkout's tools and state.
 *
 * @param {Tools} found
 * @param {string} cache
 * @returns {Record<string, string>}
 */
export function toolVariables(found, cache) {
  return {
    PATH: [join(found.tools, "bin"), dirname(found.node)].join(delimiter),
    PULUMI_HOME: join(STATE_DIRECTORY, "pulumi"),
    // Without files of attributes: the backend writes those in place, so that a kill leaves a state nobody can read.
    PULUMI_BACKEND_URL: `${pathToFileURL(join(STATE_DIRECTORY, "state")).href}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE_FILE: PASSPHRASE,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // Resources are compared with the live world side by side.
    PULUMI_PARALLEL_DIFF: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    NODE_COMPILE_CACHE: join(cache, "compiled"),
    DOCKER_HOST: found.dockerHost,
    ...(found.image === undefined ? {} : { PGSTACK_IMAGE: found.image }),
  };
}

/**
 * The environment of a child process: the caller's own with the tools in front. What the caller chose for Pulumi's
 * backend, its passphrase or Docker's endpoint stays.
 *
 * @param {Record<string, string>} variables
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {NodeJS.ProcessEnv}
 */
export function withTools(variables, environment = process.env) {
  /** @type {NodeJS.ProcessEnv} */
  const merged = {
    ...variables,
    ...environment,
    PATH: `${variables.PATH}${delimiter}${environment.PATH ?? ""}`,
    // The tools' own place is never the user's: a foreign plugin folder would be written to.
    PULUMI_HOME: variables.PULUMI_HOME,
  };
  if (environment.PULUMI_CONFIG_PASSPHRASE !== undefined) delete merged.PULUMI_CONFIG_PASSPHRASE_FILE;
  return merged;
}

/**
 * Makes the project's own folders: Pulumi's home with the plugins, the state, the passphrase.
 *
 * @param {string} tools
 */
export async function prepareProject(tools) {
  const home = join(STATE_DIRECTORY, "pulumi");
  await mkdir(home, { recursive: true, mode: 0o700 });
  await mkdir(join(STATE_DIRECTORY, "state"), { recursive: true, mode: 0o700 });
  await pointTo(join(home, "plugins"), join(tools, "plugins"));
  await withoutRunLogs(home);
  // A lost passphrase is told, not replaced by one that opens nothing.
  const stacks = await ownStacks();
  if (stacks.every(({ resources }) => resources === 0)) await ensurePassphrase();
}

/**
 * Pulumi keeps a debug log of every run, which costs a tenth of the run and has no switch; where its folder cannot be made it
 * goes without. A folder that is there stays.
 *
 * @param {string} home Pulumi's.
 */
export async function withoutRunLogs(home) {
  await writeFile(join(home, "logs"), "", { flag: "wx", mode: 0o600 }).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
}

/**
 * What an earlier set-up found; undefined when there was none.
 *
 * @returns {Promise<(Tools & {key: string}) | undefined>}
 */
export async function readRecord() {
  try {
    return JSON.parse(await readFile(RECORD, "utf8"));
  } catch {
    return undefined;
  }
}

/** @param {Tools & {key: string}} record */
export async function writeRecord(record) {
  await mkdir(dirname(RECORD), { recursive: true });
  await writeFile(`${RECORD}.new`, `${JSON.stringify(record, null, 2)}\n`);
  await rename(`${RECORD}.new`, RECORD);
}

/**
 * @param {string} link
 * @param {string} target
 */
async function pointTo(link, target) {
  const there = await lstat(link).catch(() => undefined);
  if (there?.isSymbolicLink() && (await readlink(link)) === target) return;
  await rm(link, { recursive: true, force: true });
  await symlink(target, link);
}
