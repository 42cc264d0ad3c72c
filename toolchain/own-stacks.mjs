import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { STATE_DIRECTORY } from "./directories.mjs";

const STATE = join(STATE_DIRECTORY, "state");
const STACKS = join(STATE, ".pulumi", "stacks", "pgstack");

/**
 * Whether Pulumi keeps its state in this checkout, and not where the user has chosen.
 *
 * @param {NodeJS.ProcessEnv} environment
 */
export function isOwnBackend(environment) {
  return (environment.PULUMI_BACKEND_URL ?? "").replace(/\?.*$/, "") === pathToFileURL(STATE).href;
}

/**
 * The file with a stack's state in this checkout.
 *
 * @param {string} stack
 */
export function checkpointFile(stack) {
  return join(STACKS, `${stack}.json`);
}

/**
 * A stack in this checkout's own state.
 *
 * @typedef {object} OwnStack
 * @property {string} name
 * @property {number} resources how many it has, itself not counted; -1 when its state can't be read
 */

/** @returns {Promise<OwnStack[]>} sorted by name */
export async function ownStacks() {
  const names = (await readdir(STACKS).catch(() => [])).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    names.map(async (file) => ({
      name: file.slice(0, -".json".length),
      resources: await countResources(join(STACKS, file)),
    })),
  );
}

/** @param {string} file */
async function countResources(file) {
  try {
    const { checkpoint } = JSON.parse(await readFile(file, "utf8"));
    /** @type {{type: string}[]} */
    const resources = checkpoint?.latest?.resources ?? [];
    return resources.filter(({ type }) => type !== "pulumi:pulumi:Stack").length;
  } catch {
    return -1;
  }
}
