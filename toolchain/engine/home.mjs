import { join, resolve } from "node:path";

import { UserError } from "../user-error.mjs";

/** The kernel's limit for the path of a unix socket, without the closing zero. */
const LONGEST_SOCKET_PATH = 107;

/**
 * Where everything of one engine lies. Nothing of it is shared, so engines
 * with different homes run beside each other.
 *
 * @typedef {object} EngineHome
 * @property {string} directory
 * @property {string} programs copies of the installation, so that the cache may be cleared
 * @property {string} dataRoot images, containers, volumes
 * @property {string} execRoot what lives only as long as the engine
 * @property {string} socket
 * @property {string} configurationFile
 * @property {string} engineProcessFile
 * @property {string} containerdProcessFile
 * @property {string} bootFile which start of the machine the engine ran under last
 * @property {string} logFile
 * @property {string} lockFile
 */

/**
 * @param {string} home
 * @returns {EngineHome}
 * @throws {UserError} where the path is too long for the engine's sockets
 */
export function engineHome(home) {
  const directory = resolve(home);
  const execRoot = join(directory, "run");
  const longestSocket = join(execRoot, "containerd", "containerd.sock.ttrpc");
  const excess = Buffer.byteLength(longestSocket) - LONGEST_SOCKET_PATH;
  if (excess > 0) {
    throw new UserError(
      `the engine's folder ${directory} is ${excess} characters too long for unix sockets: choose a shorter one`,
    );
  }
  return {
    directory,
    programs: join(directory, "programs"),
    dataRoot: join(directory, "data"),
    execRoot,
    socket: join(directory, "docker.sock"),
    configurationFile: join(directory, "daemon.json"),
    engineProcessFile: join(directory, "docker.pid"),
    containerdProcessFile: join(execRoot, "containerd", "containerd.pid"),
    bootFile: join(directory, "boot-id"),
    logFile: join(directory, "engine.log"),
    lockFile: join(directory, "lock"),
  };
}
