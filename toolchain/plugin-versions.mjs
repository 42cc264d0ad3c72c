import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";

/**
 * Versions of Pulumi's plugins, as package.json pins their packages.
 *
 * @returns {Promise<Record<string, string>>}
 */
export async function pluginVersions() {
  const dependencies = await pinnedDependencies();
  const names = ["docker", "random", "command"];
  return Object.fromEntries(names.map((name) => [name, String(dependencies[`@pulumi/${name}`])]));
}

/**
 * Version of Pulumi's command line: the same as its package's.
 *
 * @returns {Promise<string>}
 */
export async function pulumiVersion() {
  return String((await pinnedDependencies())["@pulumi/pulumi"]);
}

/** @returns {Promise<Record<string, string>>} */
async function pinnedDependencies() {
  return JSON.parse(await readFile(join(PROJECT_DIRECTORY, "package.json"), "utf8")).dependencies;
}
