import { escapeControlCharactersInLines } from "../operations/control-characters.ts";
import { dockerEndpoint } from "../operations/docker.ts";
import { UserError } from "../operations/user-error.ts";

/** Node's names for a connection that was refused or broke. */
const LOST = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOENT", "ETIMEDOUT"];
/** What Node puts into an error of a connection. */
interface SystemError {
  readonly code?: unknown;
  readonly syscall?: unknown;
}

/**
 * The error to show for one that a resource or a hook failed with: a lost engine is named as such, and what the user can
 * mend has no stack.
 */
export function clearError(error: unknown): unknown {
  const shown = engineLost(error) ?? error;
  // Of a database's names, for example.
  if (shown instanceof Error) {
    shown.message = escapeControlCharactersInLines(shown.message);
    shown.stack = escapeControlCharactersInLines(shown.stack ?? "");
  }
  // The provider host and the engine print the stack of what is thrown.
  if (shown instanceof UserError) shown.stack = "";
  return shown;
}

function engineLost(error: unknown): UserError | undefined {
  if (!(error instanceof Error) || error instanceof UserError) return undefined;
  const { code, syscall } = error as SystemError;
  const broken = typeof code === "string" && LOST.includes(code) && typeof syscall === "string";
  const connection = broken && ["connect", "read", "write"].includes(String(syscall));
  if (!connection && error.message !== "socket hang up") return undefined;
  const how = typeof code === "string" ? code : error.message;
  return new UserError(
    `Docker Engine at ${dockerEndpoint()} does not answer any more (${how}): start it, then run up again`,
  );
}

/** Work whose error is shown as {@link clearError} makes it: that of a resource hook. */
export async function clearly<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    throw clearError(error);
  }
}
