/**
 * An error that the user can mend: shown as its one line, without a stack trace.
 *
 * The message names the setting, argument or file that is wrong and says what would be right.
 */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The one line to show for any error: a user error's message as it is, another error's message without its stack. */
export function errorLine(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
