import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { dependenciesPresent } from "../dependencies.mjs";
import { PROJECT_DIRECTORY, STATE_DIRECTORY } from "../directories.mjs";
import { run } from "../run.mjs";

/** @typedef {import("../doctor.mjs").Finding} Finding */

const SET_UP = "npm start (or any ./pgstack command) sets it up";

/**
 * @param {import("../environment.mjs").Tools | undefined} record
 * @returns {Promise<Finding[]>}
 */
export async function examineTools(record) {
  const packages = await dependencies();
  if (record === undefined) {
    return [
      packages,
      { name: "set-up", status: "warning", message: "not done yet in this checkout", mend: SET_UP },
    ];
  }
  const way = record.way === "internet" ? "official downloads" : "package registries";
  return [
    packages,
    { name: "set-up", status: "ok", message: `done, from ${way}` },
    await program("Node.js 24", record.node, ["--version"]),
    await program("pulumi", join(record.tools, "bin", "pulumi"), ["version"]),
    ...(await plugins(record.tools)),
    await passphrase(),
  ];
}

/** @returns {Promise<Finding>} */
async function dependencies() {
  if (await dependenciesPresent())
    return { name: "packages", status: "ok", message: "as package-lock.json says" };
  const there = existsSync(join(PROJECT_DIRECTORY, "node_modules"));
  const message = there ? "node_modules is not what package-lock.json says" : "node_modules is not there";
  return { name: "packages", status: "warning", message, mend: SET_UP };
}

/**
 * @param {string} name
 * @param {string} path
 * @param {string[]} programArguments
 * @returns {Promise<Finding>}
 */
async function program(name, path, programArguments) {
  if (!existsSync(path)) return { name, status: "failed", message: `${path} is gone`, mend: SET_UP };
  try {
    const version = await run(path, programArguments, {
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    });
    return { name, status: "ok", message: version.trim() };
  } catch (error) {
    const message = String(error instanceof Error ? error.message : error).split("\n")[0] ?? "does not run";
    return { name, status: "failed", message, mend: "./pgstack clean --cache, then npm start" };
  }
}

/**
 * @param {string} tools
 * @returns {Promise<Finding[]>}
 */
async function plugins(tools) {
  const { dependencies: wanted } = JSON.parse(
    await readFile(join(PROJECT_DIRECTORY, "package.json"), "utf8"),
  );
  /** @type {string[]} */
  const there = await readdir(join(tools, "plugins")).catch(() => []);
  return ["docker", "random", "command"].map((name) => {
    const version = wanted[`@pulumi/${name}`];
    const folder = `resource-${name}-v${version}`;
    if (there.includes(folder)) return { name: `plugin ${name}`, status: "ok", message: version };
    const message = `${folder} is not there`;
    return {
      name: `plugin ${name}`,
      status: "failed",
      message,
      mend: "./pgstack clean --cache, then npm start",
    };
  });
}

/** @returns {Promise<Finding>} */
async function passphrase() {
  const name = "passphrase";
  if (process.env.PULUMI_CONFIG_PASSPHRASE !== undefined)
    return { name, status: "ok", message: "from PULUMI_CONFIG_PASSPHRASE" };
  const path = process.env.PULUMI_CONFIG_PASSPHRASE_FILE || join(STATE_DIRECTORY, "passphrase");
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    const mend =
      "put it back from your safe place: without it the stacks' secrets can't be read; for a new project npm start makes one";
    return { name, status: "failed", message: `${path} is gone`, mend };
  }
  if ((found.mode & 0o077) !== 0) {
    return { name, status: "warning", message: `${path} can be read by others`, mend: `chmod 600 ${path}` };
  }
  return { name, status: "ok", message: `${path}; keep a copy in a safe place` };
}
