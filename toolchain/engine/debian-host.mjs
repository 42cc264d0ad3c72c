import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { UserError } from "../user-error.mjs";

/** The Debian release whose packages the engine and the images are made of. */
export const TARGET_CODENAME = "trixie";

const SUPPORTED_CODENAMES = ["bookworm", "trixie"];

const KEYRING_FILES = [
  "/usr/share/keyrings/debian-archive-keyring.pgp",
  "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/**
 * @typedef {object} DebianHost
 * @property {string} codename the machine's own release
 * @property {"amd64" | "arm64"} architecture as Debian names it
 * @property {string} mirror where the machine gets its Debian packages from
 * @property {string | undefined} securityMirror where it gets security updates from
 * @property {string} keyring Debian's signing keys
 */

/**
 * Tells what the machine is and where its own apt configuration gets Debian
 * packages from, so that no host name is written down here.
 *
 * @returns {Promise<DebianHost>}
 * @throws {UserError} on a machine that Debian's packages do not run on
 */
export async function readDebianHost() {
  const architecture = debianArchitecture();
  const codename = await readCodename();
  const keyring = KEYRING_FILES.find((file) => existsSync(file));
  if (keyring === undefined) {
    throw new UserError("Debian's signing keys are missing: install the package debian-archive-keyring");
  }
  const sources = await readSources();
  const mirror = sources.find(
    ({ suites }) => suites.includes(codename) || suites.includes(`${codename}/`),
  )?.uri;
  if (mirror === undefined) {
    throw new UserError(
      `no Debian mirror for ${codename} in /etc/apt: add one, or install Docker Engine 24 or newer yourself`,
    );
  }
  const securityMirror = sources.find(({ suites }) => suites.includes(`${codename}-security`))?.uri;
  return { codename, architecture, mirror, securityMirror, keyring };
}

/**
 * @returns {"amd64" | "arm64"}
 */
function debianArchitecture() {
  if (process.platform === "linux" && process.arch === "x64") {
    return "amd64";
  }
  if (process.platform === "linux" && process.arch === "arm64") {
    return "arm64";
  }
  throw new UserError(
    `the private engine runs on Linux on amd64 or arm64, not ${process.platform} on ${process.arch}: install Docker Engine 24 or newer`,
  );
}

/** @returns {Promise<string>} */
async function readCodename() {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const field = (/** @type {string} */ name) =>
    new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(release)?.[1] ?? "";
  const codename = field("VERSION_CODENAME");
  if (field("ID") !== "debian" || !SUPPORTED_CODENAMES.includes(codename)) {
    const found = field("PRETTY_NAME") || "this system";
    throw new UserError(
      `the private engine needs Debian 12 or 13, not ${found}: install Docker Engine 24 or newer`,
    );
  }
  return codename;
}

/**
 * @typedef {object} Source
 * @property {string} uri
 * @property {string[]} suites
 */

/** @returns {Promise<Source[]>} */
async function readSources() {
  const folder = "/etc/apt/sources.list.d";
  const names = (await readdir(folder).catch(() => [])).sort();
  const files = ["/etc/apt/sources.list", ...names.map((name) => join(folder, name))];
  const parsed = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, "utf8").catch(() => "");
      return file.endsWith(".sources") ? parseDeb822(text) : file.endsWith(".list") ? parseOneLine(text) : [];
    }),
  );
  return parsed.flat();
}

/**
 * Reads the stanza format of `.sources` files.
 *
 * @param {string} text
 * @returns {Source[]}
 */
export function parseDeb822(text) {
  const withoutComments = text.replace(/^#.*\n?/gm, "");
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    /** @type {Map<string, string>} */
    const fields = new Map();
    // A line that starts with a space goes on with the field before it.
    for (const [, name, value] of stanza.matchAll(/^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)/gm)) {
      fields.set(String(name).toLowerCase(), String(value).trim());
    }
    const words = (/** @type {string} */ name) =>
      (fields.get(name) ?? "").split(/\s+/).filter((word) => word !== "");
    if (fields.get("enabled")?.toLowerCase() === "no" || !words("types").includes("deb")) {
      return [];
    }
    return words("uris").map((uri) => ({ uri: withoutTrailingSlash(uri), suites: words("suites") }));
  });
}

/**
 * Reads the one-line format of `.list` files.
 *
 * @param {string} text
 * @returns {Source[]}
 */
export function parseOneLine(text) {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/.exec(line);
    return match === null
      ? []
      : [{ uri: withoutTrailingSlash(String(match[1])), suites: [String(match[2])] }];
  });
}

/**
 * @param {string} uri
 * @returns {string}
 */
function withoutTrailingSlash(uri) {
  return uri.replace(/\/+$/, "");
}
