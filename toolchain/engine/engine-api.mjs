import { request } from "node:http";

/**
 * @typedef {object} EngineResponse
 * @property {number} status
 * @property {string} text
 */

/**
 * One request to the Docker Engine's HTTP interface over its unix socket.
 *
 * @param {string} socket the path of the socket
 * @param {string} method
 * @param {string} path
 * @param {{body?: import("node:stream").Readable, contentType?: string, timeoutMilliseconds?: number}} [options]
 * @returns {Promise<EngineResponse>}
 */
export function callEngine(socket, method, path, options = {}) {
  const { body, contentType = "application/x-tar", timeoutMilliseconds = 0 } = options;
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: socket,
        method,
        path,
        headers: body === undefined ? {} : { "content-type": contentType },
        timeout: timeoutMilliseconds,
      },
      (response) => {
        /** @type {Buffer[]} */
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
        });
      },
    );
    call.on("timeout", () =>
      call.destroy(new Error(`no answer from ${socket} in ${timeoutMilliseconds} ms`)),
    );
    call.on("error", reject);
    if (body === undefined) {
      call.end();
    } else {
      body.on("error", (error) => call.destroy(error));
      body.pipe(call);
    }
  });
}

/**
 * @param {string} socket
 * @returns {Promise<boolean>} whether an engine answers there
 */
export async function engineAnswers(socket) {
  try {
    return (await callEngine(socket, "GET", "/_ping", { timeoutMilliseconds: 2000 })).status === 200;
  } catch {
    return false;
  }
}
