import type { Target } from "../target.ts";
import type { ServerAddress } from "./address.ts";

/** No session: one line that says which step failed and why, never with the password. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** SQLSTATE, or Node's or OpenSSL's name of the error. */
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/** What to tell of a failed attempt. */
export interface Attempt {
  readonly target: Target;
  readonly role: string;
  readonly database: string;
  readonly timeoutMilliseconds: number;
  /** Undefined when the way to the server was not found yet. */
  readonly address: ServerAddress | undefined;
}

const CERTIFICATE_CODES =
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT|ERR_SSL|EPROTO|HOSTNAME_MISMATCH|INVALID_)/;

/** Turns whatever came out of an attempt into its one line. */
export function connectionFailure(error: unknown, attempt: Attempt): ConnectionError {
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return new ConnectionError(oneLine(explain(code, message, attempt)), code ?? timeoutCode(message));
}

function explain(code: string | undefined, message: string, attempt: Attempt): string {
  const { address, target, role, database, timeoutMilliseconds } = attempt;
  const place = address === undefined ? target.container : `${address.host}:${address.port} (${address.via})`;
  const as = `role ${JSON.stringify(role)}`;
  if (code === "ECONNREFUSED")
    return `${place} refuses connections: PostgreSQL does not run there, or not yet`;
  if (code === "28P01") return `${as}: the password is refused by ${place}`;
  if (code === "28000") return `${as} may not sign in at ${place}: ${message}`;
  if (code === "3D000") return `there is no database ${JSON.stringify(database)} at ${place}`;
  if (code === "42501") return `${as} may not connect to database ${JSON.stringify(database)}: ${message}`;
  if (code === "53300" && /for database/.test(message))
    return `database ${JSON.stringify(database)} at ${place} takes no connections: it is full, or closed after an upgrade into another stack (pgstack upgrade --back opens it again)`;
  if (code === "57P03" || code === "53300") return `${place} takes no connections now: ${message}`;
  if (timeoutCode(message) !== undefined) {
    return `${place} gave no session within ${timeoutMilliseconds / 1000} seconds`;
  }
  if (message === "The server does not support SSL connections") return `${place} does not offer TLS`;
  if (code !== undefined && CERTIFICATE_CODES.test(code)) return `TLS with ${place} failed: ${message}`;
  if (message === "Connection terminated unexpectedly")
    return `${place} closed the connection before a session began`;
  return address === undefined ? message : `no session at ${place}: ${message}`;
}

function timeoutCode(message: string): string | undefined {
  return message === "timeout expired" ? "ETIMEDOUT" : undefined;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
