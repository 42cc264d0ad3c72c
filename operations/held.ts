import { HELD_FILE } from "./before-start/hold.ts";
import { executeInContainer } from "./execute.ts";
import type { Target } from "./target.ts";
import { errorLine } from "./user-error.ts";

/** Shell words that print why the server is held back, and nothing while it is not. */
export const PRINT_HELD = `cat ${HELD_FILE} 2>/dev/null`;

/** Shell words that print when that was written last, in seconds since the epoch; 0 while it is not held back. */
export const PRINT_HELD_AT = `stat -c %Y ${HELD_FILE} 2>/dev/null || echo 0`;

/** Why the server's container holds the server back, in a line; undefined where it does not, or cannot be asked. */
export async function heldReason(target: Target): Promise<string | undefined> {
  const command = ["sh", "-c", PRINT_HELD];
  const text = await executeInContainer(target, { command, timeoutMilliseconds: 10_000 }).then(
    ({ exitCode, stdout }) => (exitCode === 0 ? stdout.trim() : ""),
    () => "",
  );
  return text === "" ? undefined : text;
}

/** What work on the server failed of, in a line: that it is held back says more than that it does not answer. */
export async function heldOr(target: Target, error: unknown): Promise<string> {
  const reason = await heldReason(target);
  return reason === undefined ? errorLine(error) : `the server is held: ${reason}`;
}
