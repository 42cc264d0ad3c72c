import { randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { UserError } from "./user-error.ts";

/** What the server's certificate is for. */
export interface CertificateRequest {
  /** Shown as the certificate's subject; clients check the names and addresses instead. */
  readonly commonName: string;
  /** DNS names that clients may use. */
  readonly names: readonly string[];
  /** IP addresses that clients may use. */
  readonly addresses: readonly string[];
  /** Days from now. Default: 365. Never longer than the authority's own. */
  readonly validityDays?: number;
}

/** A certificate authority that can sign. */
export interface Authority {
  /** Certificate as PEM. */
  readonly certificate: string;
  /** Private key as PEM (PKCS #8). Secret. */
  readonly key: string;
}

/** A server certificate with the authority that signed it. */
export interface IssuedCertificates {
  /** The authority, to sign the next certificate with; clients need only its certificate. */
  readonly authority: Authority;
  /** The server's certificate as PEM. */
  readonly certificate: string;
  /** The server's private key as PEM (PKCS #8). Secret. */
  readonly key: string;
  /** SHA-256 of the server's certificate as colon-separated hexadecimal. */
  readonly fingerprint: string;
  /** End of the server certificate's validity, ISO 8601 in UTC. */
  readonly notAfter: string;
}

const DAY_MILLISECONDS = 86_400_000;
const AUTHORITY_YEARS = 10;
const DEFAULT_VALIDITY_DAYS = 365;
/** Clocks of server and client may differ by this much. */
const CLOCK_SKEW_MILLISECONDS = 3_600_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DNS_NAME = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/**
 * Makes a server certificate (EC P-256, for server authentication) and, when none is given, the authority that
 * signs it (EC P-256, ten years). Given the previous authority, clients that trust it accept the new certificate.
 *
 * @throws UserError for a name or an address that a certificate cannot carry, a validity that is none, and an
 * authority that has expired or whose key is another one's.
 */
export async function issueCertificates(
  request: CertificateRequest,
  previous?: Authority,
): Promise<IssuedCertificates> {
  checkRequest(request);
  const x509 = await loadX509();
  const signer =
    previous === undefined ? await makeAuthority(request.commonName) : await readAuthority(previous);
  // A certificate holds whole seconds.
  const now = Math.floor(Date.now() / 1_000) * 1_000;
  const days = request.validityDays ?? DEFAULT_VALIDITY_DAYS;
  const notAfter = new Date(Math.min(now + days * DAY_MILLISECONDS, signer.certificate.notAfter.getTime()));
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [request.commonName] }],
    issuer: signer.certificate.subjectName,
    notBefore: new Date(now - CLOCK_SKEW_MILLISECONDS),
    notAfter,
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...request.names.map((value) => ({ type: "dns" as const, value })),
        ...request.addresses.map((value) => ({ type: "ip" as const, value })),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey),
    ],
  });
  const pem = withNewline(certificate.toString("pem"));
  return {
    authority: signer.authority,
    certificate: pem,
    key: await privateKeyPem(keys.privateKey),
    fingerprint: fingerprintOf(pem),
    notAfter: notAfter.toISOString(),
  };
}

/** SHA-256 of the first certificate of a PEM text as colon-separated hexadecimal. */
export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256;
}

/** Whole days until the first certificate of a PEM text expires; negative when it has. */
export function daysLeft(pem: string, now: Date = new Date()): number {
  return Math.floor((new X509Certificate(pem).validToDate.getTime() - now.getTime()) / DAY_MILLISECONDS);
}

async function makeAuthority(commonName: string) {
  const x509 = await loadX509();
  const keys = await makeKeys();
  const notBefore = new Date(Date.now() - CLOCK_SKEW_MILLISECONDS);
  const notAfter = new Date();
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + AUTHORITY_YEARS);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [`${commonName} authority`.slice(0, 64)] }],
    notBefore,
    notAfter,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const authority: Authority = {
    certificate: withNewline(certificate.toString("pem")),
    key: await privateKeyPem(keys.privateKey),
  };
  return { authority, certificate, privateKey: keys.privateKey };
}

async function readAuthority(authority: Authority) {
  const x509 = await loadX509();
  const certificate = new x509.X509Certificate(authority.certificate);
  if (certificate.notAfter.getTime() <= Date.now()) {
    throw new UserError(
      `the certificate authority expired on ${certificate.notAfter.toISOString()}: make a new one`,
    );
  }
  const { createPrivateKey } = await import("node:crypto");
  const key = createPrivateKey(authority.key);
  if (!new X509Certificate(authority.certificate).checkPrivateKey(key)) {
    throw new UserError("the certificate authority's key does not belong to its certificate");
  }
  const der = key.export({ type: "pkcs8", format: "der" });
  const privateKey = await webcrypto.subtle.importKey("pkcs8", new Uint8Array(der), ALGORITHM, true, [
    "sign",
  ]);
  return { authority, certificate, privateKey };
}

/** Loaded only when a certificate is made: it takes longer to load than a run without changes may spend. */
async function loadX509() {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(globalThis.crypto);
  return x509;
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
}

/** 127 random bits: positive, and not to be guessed, as RFC 5280 and the CA/Browser Forum ask. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString("hex");
}

function withNewline(pem: string): string {
  return pem.endsWith("\n") ? pem : `${pem}\n`;
}

function checkRequest(request: CertificateRequest): void {
  const { commonName, names, addresses, validityDays } = request;
  if (commonName === "" || commonName.length > 64 || /\p{Cc}/u.test(commonName)) {
    throw new UserError("the certificate's common name must have 1 to 64 characters");
  }
  if (names.length + addresses.length === 0)
    throw new UserError("a certificate needs at least one name or address");
  const name = names.find((one) => one.length > 253 || !DNS_NAME.test(one));
  if (name !== undefined) throw new UserError(`"${name}" is not a DNS name that a certificate can carry`);
  const address = addresses.find((one) => isIP(one) === 0);
  if (address !== undefined) throw new UserError(`"${address}" is not an IP address`);
  if (
    validityDays !== undefined &&
    !(Number.isInteger(validityDays) && validityDays >= 1 && validityDays <= 3_650)
  ) {
    throw new UserError("the certificate's validity must be 1 to 3650 whole days");
  }
}
