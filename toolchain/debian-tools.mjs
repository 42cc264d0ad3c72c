import { createHash } from "node:crypto";
import { join } from "node:path";
import { readDebianHost } from "./engine/debian-host.mjs";
import { downloadPackages, preparePrivateApt, unpackPackages } from "./engine/private-apt.mjs";
import { cached } from "./image/cached.mjs";

/**
 * Programs of this machine's Debian release, or of another, unpacked into the cache beside the machine's own.
 *
 * @param {{cacheDirectory: string, packages: string[], codename?: string, log: (line: string) => void}} options
 * @returns {Promise<string>} the folder that stands for `/`
 */
export async function provideDebianTools({ cacheDirectory, packages, codename, log }) {
  const host = await readDebianHost();
  const release = codename ?? host.codename;
  const key = createHash("sha256")
    .update(JSON.stringify([packages, release, host.architecture]))
    .digest("hex")
    .slice(0, 16);
  return cached(join(cacheDirectory, "debian", `${packages[0]}-${key}`), async (unfinished, work) => {
    const apt = await preparePrivateApt({ cacheDirectory, host, codename: release, log });
    const files = await downloadPackages(apt, packages, join(work, "packages"));
    await unpackPackages(files, unfinished);
  });
}
