import { cacheDirectory } from "./directories.mjs";
import { assemblePostgresImage, buildDerivedImage, loadImage } from "./image/index.mjs";
import { UserError } from "./user-error.mjs";

/**
 * Brings the image of a major version of PostgreSQL to an engine, by the way that the set-up went, or finds it there.
 *
 * @param {{major: number, dockerHost: string, way: "internet" | "registries", log: (line: string) => void}} options
 * @returns {Promise<string>} the image's reference
 * @throws {UserError} where this machine cannot
 */
export async function bringPostgresImage({ major, dockerHost, way, log }) {
  const socket = engineSocket(dockerHost);
  if (way === "internet") return buildDerivedImage({ socket, major, log });
  const image = await assemblePostgresImage({ cacheDirectory: cacheDirectory(), log, major });
  await loadImage({ socket, image, log });
  return image.reference;
}

/**
 * The socket file of an engine that images can be brought to.
 *
 * @param {string} dockerHost
 * @returns {string}
 */
export function engineSocket(dockerHost) {
  if (!dockerHost.startsWith("unix://")) {
    throw new UserError(
      `DOCKER_HOST is ${dockerHost}: the PostgreSQL image can be brought to a unix:// socket only; for an engine elsewhere set PGSTACK_IMAGE to an image that it has`,
    );
  }
  return dockerHost.slice("unix://".length);
}
