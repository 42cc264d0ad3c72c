/** What the caller can mend: shown as its one line alone. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** An error's message in one line. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().replaceAll(/\s*\n\s*/g, "; ");
}

/** Whether an error is the operating system's of this code, for example `ENOENT`. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
