import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { UserError } from "../user-error.mjs";
import { readDebianHost, TARGET_CODENAME } from "./debian-host.mjs";
import { withFileLock } from "./file-lock.mjs";
import { HOST_RELEASE_PACKAGES, PROGRAMS, TARGET_RELEASE_PACKAGES } from "./packages.mjs";
import { downloadPackages, packageVersions, preparePrivateApt, unpackPackages } from "./private-apt.mjs";

/** Raise it when the layout of an installation changes. */
const LAYOUT_VERSION = 1;

const MINIMUM_MAJOR_VERSION = 24;

/**
 * @typedef {object} EngineInstallation
 * @property {string} installDirectory for `startEngine`
 * @property {string} version the engine's version
 */

/**
 * Puts the engine's programs into the cache, from Debian's packages. A second
 * call, from any process, finds them there.
 *
 * @param {{cacheDirectory: string, log: (line: string) => void}} options
 * @returns {Promise<EngineInstallation>}
 * @throws {UserError} on a machine that the packages do not run on
 */
export async function installEngine({ cacheDirectory, log }) {
  const host = await readDebianHost();
  const inputs = {
    LAYOUT_VERSION,
    TARGET_CODENAME,
    host: [host.codename, host.architecture],
    TARGET_RELEASE_PACKAGES,
    HOST_RELEASE_PACKAGES,
    PROGRAMS,
  };
  const key = createHash("sha256").update(JSON.stringify(inputs)).digest("hex").slice(0, 16);
  const engines = join(cacheDirectory, "engine");
  const installDirectory = join(engines, key);
  const installed = await readInstallation(installDirectory);
  if (installed !== undefined) {
    return installed;
  }
  return withFileLock(join(engines, `${key}.lock`), async () => {
    const installedMeanwhile = await readInstallation(installDirectory);
    if (installedMeanwhile !== undefined) {
      return installedMeanwhile;
    }
    await removeLeftovers(engines);
    const work = await mkdtemp(join(engines, "unfinished-"));
    try {
      const releases = [
        { codename: TARGET_CODENAME, packages: TARGET_RELEASE_PACKAGES },
        { codename: host.codename, packages: HOST_RELEASE_PACKAGES },
      ];
      const downloads = await Promise.all(
        releases.map(async ({ codename, packages }) => {
          const apt = await preparePrivateApt({ cacheDirectory, host, codename, log });
          const files = await downloadPackages(apt, packages, join(work, "packages", String(packages[0])));
          await unpackPackages(files, join(work, "unpacked"));
          return files;
        }),
      );
      const versions = packageVersions(downloads.flat());
      const version = String(versions["docker.io"]).split("+")[0] ?? "";
      if (Number.parseInt(version, 10) < MINIMUM_MAJOR_VERSION) {
        throw new UserError(
          `Debian's engine is ${version}, version ${MINIMUM_MAJOR_VERSION} or newer is needed`,
        );
      }
      const result = join(work, "installation");
      await arrange(join(work, "unpacked"), result);
      await writeFile(
        join(result, "installation.json"),
        `${JSON.stringify({ version, versions }, null, 2)}\n`,
      );
      await rename(result, installDirectory);
      log(`installed Docker Engine ${version} from Debian's packages`);
      return { installDirectory, version };
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

/**
 * @param {string} installDirectory
 * @returns {Promise<EngineInstallation | undefined>}
 */
export async function readInstallation(installDirectory) {
  const text = await readFile(join(installDirectory, "installation.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : { installDirectory, version: JSON.parse(text).version };
}

/**
 * Moves what the engine needs out of the unpacked packages: programs to `bin`,
 * libraries to `lib`, licences to `licences`.
 *
 * @param {string} unpacked
 * @param {string} result
 */
async function arrange(unpacked, result) {
  await Promise.all(
    ["bin", "lib", "licences"].map((folder) => mkdir(join(result, folder), { recursive: true })),
  );
  await Promise.all(
    PROGRAMS.map(([source, name]) => rename(join(unpacked, source), join(result, "bin", name))),
  );
  const libraries = join(unpacked, "usr", "lib");
  for (const name of await readdir(libraries)) {
    const folder = join(libraries, name);
    if (name.includes("-linux-gnu")) {
      await cp(folder, join(result, "lib"), { recursive: true, verbatimSymlinks: true });
    }
  }
  const documents = join(unpacked, "usr", "share", "doc");
  for (const name of await readdir(documents)) {
    const licence = join(documents, name, "copyright");
    if (existsSync(licence)) {
      await rename(licence, join(result, "licences", name));
    }
  }
}

/**
 * Removes what killed installations left; nobody else installs while the lock is held.
 *
 * @param {string} engines
 */
async function removeLeftovers(engines) {
  const names = await readdir(engines);
  await Promise.all(
    names
      .filter((name) => name.startsWith("unfinished-"))
      .map((name) => rm(join(engines, name), { recursive: true, force: true })),
  );
}
