import { join } from "node:path";
import { provideDebianTools } from "../debian-tools.mjs";

/** What assembles the image, from the machine's own Debian release since it runs there. */
const PACKAGES = ["mmdebstrap", "patchelf"];

/**
 * Programs that the image is assembled with, unpacked beside the machine's own.
 *
 * @typedef {object} BuildTools
 * @property {string} mmdebstrap
 * @property {string} patchelf
 */

/**
 * @param {{cacheDirectory: string, log: (line: string) => void}} options
 * @returns {Promise<BuildTools>}
 */
export async function installBuildTools({ cacheDirectory, log }) {
  const folder = await provideDebianTools({ cacheDirectory, packages: PACKAGES, log });
  return { mmdebstrap: join(folder, "usr/bin/mmdebstrap"), patchelf: join(folder, "usr/bin/patchelf") };
}
