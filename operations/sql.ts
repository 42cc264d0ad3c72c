import { escapeIdentifier, escapeLiteral } from "pg";
import { LONGEST_NAME_BYTES } from "../agent/derived-name.ts";
import { UserError } from "./user-error.ts";

/** Built from what is quoted already; joined into statements as it is. */
export type Sql = string;

/**
 * A name in double quotes, whatever is in it.
 *
 * @throws UserError for a name that PostgreSQL can't hold, or would cut: it could then be another object's.
 */
export function identifier(name: string): Sql {
  requireText(name, "name");
  requireWhole(name, "name");
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
  requireWhole(name, what);
  if (name === "") throw nameLength(name, what);
}

/** A name for messages, on one line and not longer than a line. */
export function shown(name: string): string {
  return JSON.stringify(name.length > LONGEST_NAME_BYTES ? `${name.slice(0, LONGEST_NAME_BYTES)}…` : name);
}

function requireWhole(name: string, what: string): void {
  if (Buffer.byteLength(name) > LONGEST_NAME_BYTES) throw nameLength(name, what);
}

function nameLength(name: string, what: string): UserError {
  return new UserError(
    `${what} ${shown(name)}: a name has 1 to ${LONGEST_NAME_BYTES} bytes, this one has ${Buffer.byteLength(name)}`,
  );
}

function requireText(text: string, what: string): void {
  if (text.includes("\0")) throw new UserError(`${what} ${shown(text)}: PostgreSQL takes no NUL byte`);
  if (!text.isWellFormed()) throw new UserError(`${what} ${shown(text)}: not valid Unicode`);
}
