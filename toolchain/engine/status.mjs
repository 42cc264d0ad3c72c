import { callEngine } from "./engine-api.mjs";
import { engineHome } from "./home.mjs";
import { runningProcess } from "./processes.mjs";

/**
 * @typedef {object} EngineStatus
 * @property {boolean} running whether the engine of this home answers
 * @property {string} host for DOCKER_HOST
 * @property {string} socket the path of the socket
 * @property {string} logFile
 * @property {number | undefined} pid of its process, answering or not
 * @property {string | undefined} version
 */

/**
 * @param {{home: string}} options
 * @returns {Promise<EngineStatus>}
 */
export async function engineStatus({ home }) {
  const places = engineHome(home);
  const pid = await runningProcess(places.engineProcessFile, places.configurationFile);
  const version = pid === undefined ? undefined : await readVersion(places.socket);
  return {
    running: version !== undefined,
    host: `unix://${places.socket}`,
    socket: places.socket,
    logFile: places.logFile,
    pid,
    version,
  };
}

/**
 * @param {string} socket
 * @returns {Promise<string | undefined>}
 */
async function readVersion(socket) {
  try {
    const { text } = await callEngine(socket, "GET", "/version", { timeoutMilliseconds: 5000 });
    return JSON.parse(text).Version;
  } catch {
    return undefined;
  }
}
