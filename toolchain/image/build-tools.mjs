import { createHash } from "node:crypto";
import { join } from "node:path";

import { downloadPackages, preparePrivateApt, unpackPackages } from "../engine/private-apt.mjs";
import { cached } from "./cached.mjs";

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
 * @param {{cacheDirectory: string, host: import("../engine/debian-host.mjs").DebianHost, log: (line: string) => void}} options
 * @returns {Promise<BuildTools>}
 */
export async function installBuildTools({ cacheDirectory, host, log }) {
  const key = createHash("sha256")
    .update(JSON.stringify([PACKAGES, host.codename, host.architecture]))
    .digest("hex")
    .slice(0, 16);
  const folder = await cached(join(cacheDirectory, "image", `tools-${key}`), async (unfinished, work) => {
    const apt = await preparePrivateApt({ cacheDirectory, host, codename: host.codename, log });
    const files = await downloadPackages(apt, PACKAGES, join(work, "packages"));
    await unpackPackages(files, unfinished);
  });
  return { mmdebstrap: join(folder, "usr/bin/mmdebstrap"), patchelf: join(folder, "usr/bin/patchelf") };
}
