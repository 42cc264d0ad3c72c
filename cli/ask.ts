import { createInterface } from "node:readline/promises";
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
