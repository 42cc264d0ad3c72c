// Runs in the S3 server's container: ends TLS, and fails or delays requests as the file of faults says.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:https";
import { text } from "node:stream/consumers";
import { forgetDeletion, mended } from "./mend.mjs";

const [folder = "", port = "", versions] = process.argv.slice(2);

/** @returns {{failEvery?: number, delayMilliseconds?: number}} */
function faults() {
  try {
    return JSON.parse(readFileSync(`${folder}/faults.json`, "utf8"));
  } catch {
    return {};
  }
}

let count = 0;

createServer(
  { cert: readFileSync(`${folder}/server.crt`), key: readFileSync(`${folder}/server.key`) },
  (incoming, outgoing) => {
    const { failEvery = 0, delayMilliseconds = 0 } = faults();
    count += 1;
    if (failEvery > 0 && count % failEvery === 0) {
      incoming.resume();
      outgoing.writeHead(503, { "content-length": 0 }).end();
      return;
    }
    const { method, url: path, headers } = incoming;
    setTimeout(() => {
      const behind = request({ host: "127.0.0.1", port, method, path, headers }, async (answer) => {
        const { statusCode = 502 } = answer;
        if (versions !== undefined && method === "PUT" && statusCode === 200)
          forgetDeletion(path ?? "", { folder });
        if (
          versions === undefined ||
          method !== "GET" ||
          statusCode !== 200 ||
          !/[?&](versions|delimiter)/.test(path ?? "")
        ) {
          outgoing.writeHead(statusCode, answer.headers);
          answer.pipe(outgoing);
          return;
        }
        const body = await mended(path ?? "", await text(answer), { folder, port });
        outgoing
          .writeHead(statusCode, { ...answer.headers, "content-length": Buffer.byteLength(body) })
          .end(body);
      });
      behind.on("error", () => outgoing.destroy());
      incoming.pipe(behind);
    }, delayMilliseconds);
  },
).listen(443);
