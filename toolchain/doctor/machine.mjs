import { access, constants, readFile, statfs } from "node:fs/promises";
import { arch, availableParallelism, platform, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { cacheDirectory, engineDirectory, PROJECT_DIRECTORY } from "../directories.mjs";

/** @typedef {import("../doctor.mjs").Finding} Finding */

const GIGABYTE = 1024 ** 3;
const OLDEST_NODE = 20;
/** The tools and their build take about 3 GB the first time. */
const LEAST_FREE_BYTES = 2 * GIGABYTE;
const WARN_FREE_BYTES = 6 * GIGABYTE;

/** @returns {Promise<Finding[]>} */
export async function examineMachine() {
  return [await system(), memory(), node(), await writable(), ...(await disks())];
}

/** @returns {Promise<Finding>} */
async function system() {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const title = /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? platform();
  const message = `${title}, ${platform()} ${arch()}, ${availableParallelism()} processors`;
  if (platform() !== "linux") {
    return {
      name: "machine",
      status: "warning",
      message,
      mend: "Linux is what this is tried on; elsewhere bring Docker and Pulumi yourself",
    };
  }
  return { name: "machine", status: "ok", message };
}

/** @returns {Finding} */
function memory() {
  const message = `${(totalmem() / GIGABYTE).toFixed(1)} GB`;
  if (totalmem() >= 1.5 * GIGABYTE) return { name: "memory", status: "ok", message };
  return {
    name: "memory",
    status: "warning",
    message,
    mend: "set memoryLimit and sharedBuffers lower, or give the machine 2 GB",
  };
}

/** @returns {Finding} */
function node() {
  const message = `Node.js ${process.versions.node} runs this`;
  if (Number(process.versions.node.split(".")[0]) >= OLDEST_NODE)
    return { name: "Node.js", status: "ok", message };
  return { name: "Node.js", status: "failed", message, mend: `install Node.js ${OLDEST_NODE} or newer` };
}

/** @returns {Promise<Finding>} */
async function writable() {
  try {
    await access(PROJECT_DIRECTORY, constants.W_OK);
    return { name: "project", status: "ok", message: PROJECT_DIRECTORY };
  } catch {
    const mend = "give this user the folder, or clone it again as this user";
    return { name: "project", status: "failed", message: `${PROJECT_DIRECTORY} can't be written`, mend };
  }
}

/** @returns {Promise<Finding[]>} one for each file system */
async function disks() {
  /** @type {Map<string, string[]>} */
  const places = new Map();
  /** @type {Map<string, Finding>} */
  const findings = new Map();
  for (const [what, path] of [
    ["project", PROJECT_DIRECTORY],
    ["tools", cacheDirectory()],
    ["private engine", join(engineDirectory(), "data")],
  ]) {
    const { bavail, blocks, bsize, type } = await nearestFileSystem(String(path));
    const key = `${type} ${blocks} ${bavail}`;
    const names = [...(places.get(key) ?? []), String(what)];
    places.set(key, names);
    findings.set(key, freeSpace(names.join(", "), bavail * bsize));
  }
  return [...findings.values()];
}

/**
 * @param {string} what
 * @param {number} free bytes
 * @returns {Finding}
 */
function freeSpace(what, free) {
  const message = `${(free / GIGABYTE).toFixed(1)} GB free for ${what}`;
  if (free >= WARN_FREE_BYTES) return { name: "disk", status: "ok", message };
  const mend = "make room; ./pgstack clean --cache removes what can be had again";
  return { name: "disk", status: free < LEAST_FREE_BYTES ? "failed" : "warning", message, mend };
}

/** Of the path, or of the nearest folder above that is there. @param {string} path */
async function nearestFileSystem(path) {
  for (let place = path; ; place = dirname(place)) {
    try {
      return await statfs(place);
    } catch (error) {
      if (place === dirname(place)) throw error;
    }
  }
}
