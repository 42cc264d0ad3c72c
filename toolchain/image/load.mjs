import { createReadStream } from "node:fs";
import { callEngine } from "../engine/engine-api.mjs";
import { UserError } from "../user-error.mjs";
import { CONTENT_HASH_LABEL } from "./assemble.mjs";

/** @typedef {import("./assemble.mjs").ImageIdentity} ImageIdentity */

/**
 * Tells whether an engine has the image made from the very same inputs.
 *
 * @param {{socket: string, image: ImageIdentity}} options `socket` is the path of the engine's unix socket
 * @returns {Promise<boolean>}
 */
export async function isImagePresent({ socket, image }) {
  const { status, text } = await callEngine(
    socket,
    "GET",
    `/images/${encodeURIComponent(image.reference)}/json`,
  );
  return status === 200 && JSON.parse(text).Config?.Labels?.[CONTENT_HASH_LABEL] === image.contentHash;
}

/**
 * Loads an assembled image into an engine unless it is there.
 *
 * @param {{socket: string, image: import("./assemble.mjs").AssembledImage, log: (line: string) => void}} options
 * @returns {Promise<boolean>} false where it was there
 */
export async function loadImage({ socket, image, log }) {
  if (await isImagePresent({ socket, image })) {
    return false;
  }
  const { status, text } = await callEngine(socket, "POST", "/images/load?quiet=1", {
    body: createReadStream(image.archive),
  });
  // The engine answers 200 before it reads the archive, and tells of errors in the text.
  if (status !== 200 || text.includes('"error"') || !(await isImagePresent({ socket, image }))) {
    throw new UserError(`the engine at ${socket} did not load ${image.reference}: ${text.trim()}`);
  }
  log(`loaded ${image.reference}`);
  return true;
}
