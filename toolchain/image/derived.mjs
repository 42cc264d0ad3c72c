import { spawn } from "node:child_process";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { callEngine } from "../engine/engine-api.mjs";
import { UserError } from "../user-error.mjs";
import { CONTENT_HASH_LABEL } from "./assemble.mjs";
import { hashInputs } from "./hashes.mjs";
import { isImagePresent } from "./load.mjs";

const DOCKERFILE = fileURLToPath(new URL("../../images/postgres/Dockerfile", import.meta.url));

/**
 * The image that is built on the official one, told from this checkout alone. Its name is its own.
 *
 * @param {{dockerfile?: string, major?: string | number}} [options]
 * @returns {Promise<import("./assemble.mjs").ImageIdentity>}
 */
export async function derivedImageIdentity({ dockerfile = DOCKERFILE, major = 16 } = {}) {
  const contentHash = await hashInputs({ architecture: process.arch, base: baseImage(major) }, [dockerfile]);
  return { reference: `pgstack.local/postgres:${major}-alpine-${contentHash.slice(0, 12)}`, contentHash };
}

/**
 * @param {string | number} major
 * @returns {string}
 */
function baseImage(major) {
  return `postgres:${major}-alpine`;
}

/**
 * Has an engine build the image, unless it is there.
 *
 * @param {{socket: string, log: (line: string) => void, major?: string | number, dockerfile?: string, pull?: boolean}} options
 * `pull`: ask the registry for a newer base. Default: true.
 * @returns {Promise<string>} the image's reference
 * @throws {UserError} with the builder's last words
 */
export async function buildDerivedImage({ socket, log, major = 16, dockerfile = DOCKERFILE, pull = true }) {
  const image = await derivedImageIdentity({ dockerfile, major });
  if (await isImagePresent({ socket, image })) return image.reference;
  log(`building ${image.reference}`);
  const options = new URLSearchParams({
    t: image.reference,
    dockerfile: basename(dockerfile),
    buildargs: JSON.stringify({ BASE: baseImage(major) }),
    labels: JSON.stringify({ [CONTENT_HASH_LABEL]: image.contentHash }),
    ...(pull ? { pull: "1" } : {}),
    rm: "1",
    forcerm: "1",
  });
  const context = spawn("tar", ["-c", "-C", dirname(dockerfile), basename(dockerfile)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { status, text } = await callEngine(socket, "POST", `/build?${options}`, { body: context.stdout });
  if (status !== 200 || !(await isImagePresent({ socket, image }))) {
    throw new UserError(`the image ${image.reference} cannot be built: ${lastWords(text)}`);
  }
  return image.reference;
}

/**
 * The builder answers with JSON lines; the last error says why.
 *
 * @param {string} text
 */
function lastWords(text) {
  const lines = text.trim().split("\n");
  for (const line of lines.toReversed()) {
    try {
      const { error, message } = JSON.parse(line);
      if (error ?? message) return String(error ?? message).trim();
    } catch {
      // Not one of its lines.
    }
  }
  return lines.at(-1) ?? "the engine did not say why";
}
