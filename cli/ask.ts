import { createInterface } from "node:readline/promises";
import { UserError } from "../operations/user-error.ts";
import { UsageError } from "./exit-codes.ts";
import { interruptionSignal } from "./interruption.ts";

/** Asks a question that only `y` or `yes` answers with true. */
export async function ask(question: string): Promise<boolean> {
  const signal = interruptionSignal();
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await reader.question(question, { signal })).trim());
  } catch {
    signal.throwIfAborted();
    return false;
  } finally {
    reader.close();
  }
}

/**
 * @param what What `--yes` has done without a question, such as `fix it`.
 * @throws UsageError where nobody can be asked, and nobody has agreed before.
 */
export function requireAnswer(yes: boolean | undefined, what: string): void {
  if (yes === true || process.stdin.isTTY) return;
  throw new UsageError(`not a terminal: pass --yes to ${what} without being asked`);
}

/** Goes on where the user says so. @throws UsageError as {@link requireAnswer}, UserError for a no. */
export async function confirm(question: string, yes: boolean, what = "go on"): Promise<void> {
  requireAnswer(yes, what);
  if (!yes && !(await ask(question))) throw new UserError("nothing was changed");
}
