import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type CheckedPair, checkCertificatePair } from "./certificates/pair.ts";
import { UserError } from "./user-error.ts";

/** A certificate and its key as they were found, checked. */
export interface CertificateFiles extends CheckedPair {
  /** Content of `fullchain.pem`. */
  readonly certificate: string;
  /** Content of `privkey.pem`. Secret. */
  readonly key: string;
}

/** Names of the files in a domain's folder, as ACME clients write them. */
const CERTIFICATE_FILE = "fullchain.pem";
const KEY_FILE = "privkey.pem";
/** A chain has a few kilobytes; what is larger is another file. */
const LARGEST_FILE_BYTES = 1_048_576;
const DOMAIN = /^[a-z0-9_*]([a-z0-9_.-]*[a-z0-9_])?$/i;

/**
 * Reads `{certificatesDirectory}/{domain}/fullchain.pem` and `privkey.pem`, following links, and refuses whatever the
 * server would refuse or should: a missing, unreadable, damaged, expired or not yet valid certificate, one for another
 * name, a chain out of order, a key that is encrypted, that belongs to another certificate or that others may read.
 *
 * A key must be its owner's alone (0600 or less), or root's and readable by its group at most (0640):
 * https://www.postgresql.org/docs/16/ssl-tcp.html#SSL-SETUP
 *
 * @throws UserError naming the file and what would be right.
 */
export async function readCertificateFiles(
  certificatesDirectory: string,
  domain: string,
  now: Date = new Date(),
): Promise<CertificateFiles> {
  const folder = domainFolder(certificatesDirectory, domain);
  const certificatePath = join(folder, CERTIFICATE_FILE);
  const keyPath = join(folder, KEY_FILE);
  const certificate = await readSmallFile(certificatePath, "certificate");
  const key = await readSmallFile(keyPath, "key");
  checkKeyMode(key, keyPath);
  const pair = checkCertificatePair(certificate.text, key.text, {
    certificateName: `certificate ${certificatePath}`,
    keyName: `key ${keyPath}`,
    domain,
    now,
  });
  return { ...pair, certificate: certificate.text, key: key.text };
}

interface SmallFile {
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
}

async function readSmallFile(path: string, what: string): Promise<SmallFile> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { mode, uid, size, isFile } = await file.stat().then((stat) => ({
        mode: stat.mode & 0o7777,
        uid: stat.uid,
        size: stat.size,
        isFile: stat.isFile(),
      }));
      if (!isFile) throw new UserError(`${what} ${path} is not a file`);
      if (size > LARGEST_FILE_BYTES)
        throw new UserError(`${what} ${path} is ${size} bytes long, which no ${what} is`);
      return { text: await file.readFile("utf8"), mode, uid };
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new UserError(`${what} ${path} does not exist, or is a link that leads nowhere`);
    }
    if (code === "EACCES" || code === "EPERM") {
      throw new UserError(
        `${what} ${path} cannot be read by this user: give it to the user that runs the stack`,
      );
    }
    if (code === "ELOOP") throw new UserError(`${what} ${path} is a link that leads to itself`);
    throw error;
  }
}

function checkKeyMode(key: SmallFile, path: string): void {
  const allowed = key.uid === 0 ? 0o740 : 0o700;
  if ((key.mode & ~allowed) === 0) return;
  const mode = (key.mode & 0o777).toString(8).padStart(4, "0");
  const orGroup = key.uid === 0 ? ", or 0640 since it is root's" : "";
  throw new UserError(`key ${path} can be used by others (mode ${mode}): chmod 0600 is right${orGroup}`);
}

function domainFolder(certificatesDirectory: string, domain: string): string {
  if (!DOMAIN.test(domain) || domain.includes("..") || domain.length > 253) {
    throw new UserError(
      `"${domain.slice(0, 80).replaceAll(/\p{Cc}/gu, "?")}" is not a domain such as db.example.org`,
    );
  }
  return join(certificatesDirectory, domain);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
