import { existsSync } from "node:fs";
import { engineDirectory } from "../directories.mjs";
import { callEngine } from "../engine/engine-api.mjs";

/** @typedef {import("../doctor.mjs").Finding} Finding */

const OLDEST_ENGINE = 24;
/** Endpoints other than local sockets are reached by the project's own TypeScript. */
const NODE_WITH_TYPES = 24;
const LOCAL_SOCKET = "/var/run/docker.sock";

/**
 * The endpoint that commands use: the caller's choice, what the set-up found, the machine's own.
 *
 * @param {import("../environment.mjs").Tools | undefined} record
 * @returns {string | undefined}
 */
export function endpointInUse(record) {
  return (
    process.env.DOCKER_HOST ||
    record?.dockerHost ||
    (existsSync(LOCAL_SOCKET) ? `unix://${LOCAL_SOCKET}` : undefined)
  );
}

/**
 * One request to the engine; undefined when the endpoint is not a local socket.
 *
 * @param {string | undefined} endpoint
 * @param {string} path
 * @returns {Promise<any>} the answer's JSON
 */
export async function askEngine(endpoint, path) {
  if (!endpoint?.startsWith("unix://")) return undefined;
  const { status, text } = await callEngine(endpoint.slice("unix://".length), "GET", path, {
    timeoutMilliseconds: 5000,
  });
  return status === 200 ? JSON.parse(text) : undefined;
}

/**
 * @param {import("../environment.mjs").Tools | undefined} record
 * @returns {Promise<Finding[]>}
 */
export async function examineEngine(record) {
  const endpoint = endpointInUse(record);
  if (endpoint === undefined) {
    return [
      {
        name: "engine",
        status: "warning",
        message: "no Docker engine yet",
        mend: "npm start brings a private one, or set DOCKER_HOST",
      },
    ];
  }
  if (!endpoint.startsWith("unix://") && Number(process.versions.node.split(".")[0]) < NODE_WITH_TYPES) {
    const message = `${endpoint} is not looked at: that takes Node.js ${NODE_WITH_TYPES}`;
    return [
      { name: "engine", status: "warning", message, mend: "./pgstack status tells whether it answers" },
    ];
  }
  const version = await versionOf(endpoint);
  if (version.problem !== undefined) {
    const own = endpoint.includes(engineDirectory());
    const mend = own
      ? "npm start starts the private engine again"
      : "start Docker there, or set DOCKER_HOST to where it runs";
    return [
      {
        name: "engine",
        status: "failed",
        message: version.problem.includes(endpoint)
          ? version.problem
          : `${endpoint} does not answer: ${version.problem}`,
        mend,
      },
    ];
  }
  if (Number(version.text.split(".")[0]) < OLDEST_ENGINE) {
    const mend = `install Docker Engine ${OLDEST_ENGINE}.0 or newer`;
    return [
      {
        name: "engine",
        status: "failed",
        message: `Docker Engine ${version.text} at ${endpoint} is too old`,
        mend,
      },
    ];
  }
  return [
    { name: "engine", status: "ok", message: `Docker Engine ${version.text} at ${endpoint}` },
    ...(await image(endpoint, record)),
  ];
}

/**
 * @param {string} endpoint
 * @returns {Promise<{text: string, problem?: string}>}
 */
async function versionOf(endpoint) {
  try {
    if (endpoint.startsWith("unix://"))
      return { text: String((await askEngine(endpoint, "/version"))?.Version ?? "") };
    const { dockerEngine, requireEngine } = await import("../../operations/docker.ts");
    return { text: (await requireEngine(dockerEngine(endpoint))).version };
  } catch (error) {
    return { text: "", problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * The image that stacks take where no registry has one.
 *
 * @param {string} endpoint
 * @param {import("../environment.mjs").Tools | undefined} record
 * @returns {Promise<Finding[]>}
 */
async function image(endpoint, record) {
  const reference = record?.image;
  if (reference === undefined) return [];
  const found = await askEngine(endpoint, `/images/${encodeURIComponent(reference)}/json`);
  if (found !== undefined) return [{ name: "image", status: "ok", message: reference }];
  return [
    {
      name: "image",
      status: "failed",
      message: `${reference} is not in the engine`,
      mend: "npm start loads it again",
    },
  ];
}
