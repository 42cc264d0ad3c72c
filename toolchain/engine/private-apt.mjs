import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { withFileLock } from "./file-lock.mjs";
import { runProgram } from "./run-program.mjs";

/** @typedef {import("./debian-host.mjs").DebianHost} DebianHost */

/** Package lists older than this are fetched again. */
const LISTS_LAST_MILLISECONDS = 6 * 60 * 60 * 1000;

/**
 * An apt of our own for one Debian release: its lists, state and cache lie in one folder and the
 * machine's are neither read nor changed. Signatures are verified.
 *
 * @typedef {object} PrivateApt
 * @property {string} configurationFile for APT_CONFIG
 * @property {string} sources the package sources, in one-line format
 * @property {string} networkSettings the machine's proxy and download settings, as apt configuration
 * @property {() => Promise<void>} refresh fetches the lists again, however fresh they are
 */

/**
 * Sets the private apt up and fetches its lists unless they are fresh.
 *
 * @param {{cacheDirectory: string, host: DebianHost, codename: string, log: (line: string) => void}} options
 * @returns {Promise<PrivateApt>}
 */
export async function preparePrivateApt({ cacheDirectory, host, codename, log }) {
  const networkSettings = await readNetworkSettings();
  const sources = sourceLines(host, codename);
  const key = createHash("sha256").update(sources).update(networkSettings).digest("hex").slice(0, 12);
  const directory = join(cacheDirectory, "debian", `apt-${codename}-${key}`);
  const configurationFile = join(directory, "apt.conf");
  const environment = { ...process.env, APT_CONFIG: configurationFile };
  const stamp = join(directory, "lists-fetched");

  const fetchLists = async () => {
    log(`fetching the package lists of Debian ${codename}`);
    await runProgram("apt-get", ["update", "--quiet", "--error-on=any"], {
      env: environment,
      purpose: "fetching Debian's package lists",
    });
    await writeFile(stamp, "");
  };

  const lockFile = join(cacheDirectory, "debian", `apt-${codename}-${key}.lock`);
  await withFileLock(lockFile, async () => {
    if (await isFresh(stamp)) {
      return;
    }
    await writeConfiguration(directory, configurationFile, sources, networkSettings);
    await fetchLists();
  });
  return {
    configurationFile,
    sources,
    networkSettings,
    refresh: () => withFileLock(lockFile, fetchLists),
  };
}

/**
 * Downloads packages into a folder; dependencies are not followed.
 *
 * @param {PrivateApt} apt
 * @param {string[]} packages their names
 * @param {string} directory
 * @returns {Promise<string[]>} the package files
 */
export async function downloadPackages(apt, packages, directory) {
  await mkdir(directory, { recursive: true });
  const download = () =>
    runProgram("apt-get", ["download", "--quiet", ...packages], {
      cwd: directory,
      env: { ...process.env, APT_CONFIG: apt.configurationFile },
      purpose: `downloading ${packages.length} Debian packages`,
    });
  try {
    await download();
  } catch {
    // A version that was listed may have been replaced on the mirror meanwhile.
    await apt.refresh();
    await download();
  }
  const names = await readdir(directory);
  return names
    .filter((name) => name.endsWith(".deb"))
    .sort()
    .map((name) => join(directory, name));
}

/**
 * Unpacks package files into a folder, outside of any package database.
 *
 * @param {string[]} packageFiles
 * @param {string} directory
 * @returns {Promise<void>}
 */
export async function unpackPackages(packageFiles, directory) {
  await mkdir(directory, { recursive: true });
  await Promise.all(
    packageFiles.map((file) =>
      runProgram("dpkg-deb", ["--extract", file, directory], { purpose: "unpacking a Debian package" }),
    ),
  );
}

/**
 * @param {DebianHost} host
 * @param {string} codename
 * @returns {string}
 */
function sourceLines(host, codename) {
  const line = (/** @type {string} */ uri, /** @type {string} */ suite) =>
    `deb [arch=${host.architecture} signed-by=${host.keyring}] ${uri} ${suite} main\n`;
  const security = host.securityMirror === undefined ? "" : line(host.securityMirror, `${codename}-security`);
  return line(host.mirror, codename) + security;
}

/**
 * @param {string} directory
 * @param {string} configurationFile
 * @param {string} sources
 * @param {string} networkSettings
 */
async function writeConfiguration(directory, configurationFile, sources, networkSettings) {
  await rm(directory, { recursive: true, force: true });
  const folders = [
    "lists/partial",
    "cache/archives/partial",
    "state",
    "etc/sources.list.d",
    "etc/preferences.d",
    "etc/apt.conf.d",
  ];
  await Promise.all(folders.map((folder) => mkdir(join(directory, folder), { recursive: true })));
  await writeFile(join(directory, "etc", "sources.list"), sources);
  // An empty package database: what the machine has installed must not matter.
  await writeFile(join(directory, "state", "status"), "");
  const settings = [
    `Dir "${directory}";`,
    `Dir::Etc "${directory}/etc";`,
    `Dir::State "${directory}/state";`,
    `Dir::State::status "${directory}/state/status";`,
    `Dir::State::lists "${directory}/lists";`,
    `Dir::Cache "${directory}/cache";`,
    'Acquire::Languages "none";',
    // The folders belong to the caller, so apt's own user could not write there.
    'APT::Sandbox::User "root";',
  ];
  await writeFile(configurationFile, `${settings.join("\n")}\n${networkSettings}`);
}

/**
 * Takes over what the machine needs to reach its mirror: proxies, time-outs,
 * credentials.
 *
 * @returns {Promise<string>}
 */
async function readNetworkSettings() {
  const dump = await runProgram("apt-config", ["dump"], {
    purpose: "reading the machine's apt configuration",
  });
  const wanted = /^Acquire::(http|https|ftp|Retries|ForceIPv4|ForceIPv6|Check-Valid-Until|Check-Date|Max-)/i;
  const lines = dump.split("\n").filter((line) => wanted.test(line) && !line.endsWith(' "";'));
  lines.push('Dir::Etc::netrc "/etc/apt/auth.conf";', 'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";');
  return `${lines.join("\n")}\n`;
}

/**
 * @param {string} stamp
 * @returns {Promise<boolean>}
 */
async function isFresh(stamp) {
  const written = await stat(stamp).catch(() => undefined);
  return written !== undefined && Date.now() - written.mtimeMs < LISTS_LAST_MILLISECONDS;
}

/**
 * The versions of package files, told from their names.
 *
 * @param {string[]} packageFiles
 * @returns {Record<string, string>}
 */
export function packageVersions(packageFiles) {
  const entries = packageFiles.map((file) => {
    const [name = "", version = ""] = (file.split("/").pop() ?? "").split("_");
    return /** @type {const} */ ([name, decodeURIComponent(version)]);
  });
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
}
