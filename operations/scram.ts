import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";
import { UserError } from "./user-error.ts";

/** What a verifier is made with. */
export interface ScramOptions {
  /** Rounds of PBKDF2. Default: 4096, PostgreSQL's own scram_iterations. */
  readonly iterations?: number;
  /** Default: 16 random bytes. */
  readonly salt?: Buffer;
}

const DEFAULT_ITERATIONS = 4096;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
/** Enough for any generated password, and what clients still send without trouble. */
const LONGEST_PASSWORD_BYTES = 1024;
const VERIFIER =
  /^SCRAM-SHA-256\$([1-9]\d{0,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]{44}):([A-Za-z0-9+/=]{44})$/;
/** What SASLprep (RFC 4013) turns into spaces, and what it leaves out. */
const SPACES = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/u;
const NOTHING = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/u;

/**
 * What PostgreSQL stores for a password, computed here so that the password itself never reaches the server:
 * `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
 *
 * @see https://www.postgresql.org/docs/16/catalog-pg-authid.html and RFC 5802, section 3.
 * @throws UserError for a password that not every client would send the same way.
 */
export function scramVerifier(password: string, options: ScramOptions = {}): string {
  requirePassword(password);
  const iterations = options.iterations ?? DEFAULT_ITERATIONS;
  const salt = options.salt ?? randomBytes(SALT_BYTES);
  const { storedKey, serverKey } = keys(password, salt, iterations);
  const base64 = [salt, storedKey, serverKey].map((bytes) => bytes.toString("base64"));
  return `SCRAM-SHA-256$${iterations}:${base64[0]}$${base64[1]}:${base64[2]}`;
}

/** True when the verifier was made from the password; false also for anything that is no SCRAM-SHA-256 verifier. */
export function verifierMatches(verifier: string, password: string): boolean {
  const [, iterations, salt, stored, server] = VERIFIER.exec(verifier) ?? [];
  if (iterations === undefined || salt === undefined || stored === undefined || server === undefined)
    return false;
  const { storedKey, serverKey } = keys(password, Buffer.from(salt, "base64"), Number(iterations));
  return equal(storedKey, stored) && equal(serverKey, server);
}

/**
 * Refuses a password that can't be a sign-in's. Clients differ in how they normalise Unicode before they hash
 * (RFC 4013), so what normalisation would change is refused instead of working with some of them only.
 *
 * @throws UserError that never shows the password.
 */
export function requirePassword(password: string): void {
  if (password === "") throw new UserError("password: it is empty");
  if (password.includes("\0")) throw new UserError("password: PostgreSQL takes no NUL byte");
  if (!password.isWellFormed()) throw new UserError("password: not valid Unicode");
  const bytes = Buffer.byteLength(password);
  if (bytes > LONGEST_PASSWORD_BYTES) {
    throw new UserError(`password: ${bytes} bytes are too many, ${LONGEST_PASSWORD_BYTES} is the most`);
  }
  if (password.normalize("NFKC") !== password || SPACES.test(password) || NOTHING.test(password)) {
    throw new UserError(
      "password: it has characters that clients normalise differently (RFC 4013): write it in Unicode form NFKC, without unusual spaces and joiners",
    );
  }
}

function keys(password: string, salt: Buffer, iterations: number): { storedKey: Buffer; serverKey: Buffer } {
  const salted = pbkdf2Sync(password, salt, iterations, KEY_BYTES, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  return {
    storedKey: createHash("sha256").update(hmac("Client Key")).digest(),
    serverKey: hmac("Server Key"),
  };
}

function equal(computed: Buffer, base64: string): boolean {
  const given = Buffer.from(base64, "base64");
  return given.length === computed.length && timingSafeEqual(given, computed);
}
