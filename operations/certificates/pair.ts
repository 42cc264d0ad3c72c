import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { UserError } from "../user-error.ts";

/** A server certificate that was looked at and found good, with what a reader wants to know about it. */
export interface CheckedPair {
  /** SHA-256 of the server's certificate as colon-separated hexadecimal. */
  readonly fingerprint: string;
  /** End of the server certificate's validity, ISO 8601 in UTC. */
  readonly notAfter: string;
}

/** What {@link checkCertificatePair} holds a pair against. */
export interface PairExpectations {
  /** How errors name the certificate. Default: `the certificate`. */
  readonly certificateName?: string;
  /** How errors name the key. Default: `the key`. */
  readonly keyName?: string;
  /** DNS name that the certificate must be for. Default: none is asked. */
  readonly domain?: string;
  /** Default: the present. */
  readonly now?: Date;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
/** OpenSSL 3 refuses to serve with a shorter one. */
const SHORTEST_RSA_BITS = 2_048;

/**
 * Refuses a certificate and key that the server could not serve with, before the server sees them.
 *
 * @param certificate PEM text: the server's certificate first, then those that lead to the authority.
 * @param key PEM text of its private key.
 * @throws UserError naming the file and what is wrong with it.
 */
export function checkCertificatePair(
  certificate: string,
  key: string,
  expected: PairExpectations = {},
): CheckedPair {
  const certificateName = expected.certificateName ?? "the certificate";
  const chain = parseChain(certificate, certificateName);
  const [server] = chain;
  const privateKey = parseKey(key, expected.keyName ?? "the key");
  const type = privateKey.asymmetricKeyType;
  if (type === "rsa" && (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) < SHORTEST_RSA_BITS) {
    throw new UserError(
      `${expected.keyName ?? "the key"} is shorter than ${SHORTEST_RSA_BITS} bits; make a longer one`,
    );
  }
  checkOrder(chain, certificateName);
  if (!server.checkPrivateKey(privateKey)) {
    throw new UserError(
      `${expected.keyName ?? "the key"} does not belong to ${certificateName}: they must be made together`,
    );
  }
  const now = expected.now ?? new Date();
  for (const [index, one] of chain.entries()) checkValidity(one, index, now, certificateName);
  if (expected.domain !== undefined && server.checkHost(expected.domain) === undefined) {
    throw new UserError(`${certificateName} is not for ${expected.domain} but for ${namesOf(server)}`);
  }
  return { fingerprint: server.fingerprint256, notAfter: server.validToDate.toISOString() };
}

function parseChain(text: string, name: string): [X509Certificate, ...X509Certificate[]] {
  if (text.trim() === "") throw new UserError(`${name} is empty`);
  const blocks = text.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0)
    throw new UserError(`${name} is not a certificate in PEM format (-----BEGIN CERTIFICATE-----)`);
  const [first, ...rest] = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new UserError(`${name} cannot be read: its certificate number ${index + 1} is damaged`);
    }
  });
  if (first === undefined) throw new UserError(`${name} holds no certificate`);
  return [first, ...rest];
}

function parseKey(text: string, name: string): KeyObject {
  if (text.trim() === "") throw new UserError(`${name} is empty`);
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new UserError(`${name} is encrypted; the server starts alone and needs it without a passphrase`);
  }
  if (!/-----BEGIN (RSA |EC )?PRIVATE KEY-----/.test(text)) {
    throw new UserError(`${name} is not a private key in PEM format (-----BEGIN PRIVATE KEY-----)`);
  }
  try {
    return createPrivateKey(text);
  } catch {
    throw new UserError(`${name} cannot be read: it is damaged or of an unknown kind`);
  }
}

/** Each certificate must be signed by the next one; a root at the end may be there or not. */
function checkOrder(chain: readonly X509Certificate[], name: string): void {
  for (const [index, issuer] of chain.slice(1).entries()) {
    const issued = chain[index];
    if (issued === undefined || (issued.checkIssued(issuer) && issued.verify(issuer.publicKey))) continue;
    throw new UserError(
      `${name} has its chain out of order: number ${index + 1} (${subjectOf(issued)}) is not signed by number ${index + 2} ` +
        `(${subjectOf(issuer)}); the server's own must come first, then its issuer, and so on`,
    );
  }
}

function checkValidity(one: X509Certificate, index: number, now: Date, name: string): void {
  const which = index === 0 ? name : `${name}, at number ${index + 1} of its chain,`;
  if (now > one.validToDate) throw new UserError(`${which} expired on ${one.validToDate.toISOString()}`);
  if (now < one.validFromDate) {
    throw new UserError(`${which} is not yet valid: it begins on ${one.validFromDate.toISOString()}`);
  }
}

function subjectOf(one: X509Certificate): string {
  return one.subject.replaceAll("\n", ", ") || "no subject";
}

function namesOf(one: X509Certificate): string {
  return one.subjectAltName ?? subjectOf(one);
}
