import { escapeIdentifier, escapeLiteral } from "pg";
import { UserError } from "./user-error.ts";

/** PostgreSQL cuts longer names without an error, so that two names could mean one object. */
export const LONGEST_NAME_BYTES = 63;

/** Built from what is quoted already; joined into statements as it is. */
export type Sql = string;

/**
 * A name in double quotes, whatever is in it.
 *
 * @throws UserError for a name that PostgreSQL can't hold.
 */
export function identifier(name: string): Sql {
  requireText(name, "name");
  return escapeIdentifier(name);
}

/**
 * A text in single quotes, whatever is in it, right with standard_conforming_strings on and off.
 *
 * @throws UserError for a text that PostgreSQL can't hold.
 */
export function literal(value: string): Sql {
  requireText(value, "value");
  return escapeLiteral(value).trimStart();
}

/**
 * Refuses a name that PostgreSQL would not take as it is: empty, over 63 bytes, or with a NUL byte.
 *
 * @param what What the name is of, for the message: `role`, `database`, `schema`.
 * @throws UserError
 */
export function requireName(name: string, what: string): void {
  requireText(name, what);
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > LONGEST_NAME_BYTES) {
    throw new UserError(
      `${what} ${shown(name)}: a name has 1 to ${LONGEST_NAME_BYTES} bytes, this one has ${bytes}`,
    );
  }
}

/** A name for messages, on one line and not longer than a line. */
export function shown(name: string): string {
  return JSON.stringify(name.length > LONGEST_NAME_BYTES ? `${name.slice(0, LONGEST_NAME_BYTES)}…` : name);
}

function requireText(text: string, what: string): void {
  if (text.includes("\0")) throw new UserError(`${what} ${shown(text)}: PostgreSQL takes no NUL byte`);
  if (!text.isWellFormed()) throw new UserError(`${what} ${shown(text)}: not valid Unicode`);
}
