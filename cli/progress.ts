import { harmless, note } from "./print.ts";

/** Shows the steps of long work on standard error: one line that is renewed on a terminal, plain lines elsewhere. */
export class StepProgress {
  readonly #started = performance.now();
  #shown = "";
  #lastText = "";

  /** For `onStep` of an operation. */
  readonly onStep = (said: string, fraction?: number): void => {
    const text = harmless(said);
    const seconds = Math.round((performance.now() - this.#started) / 1_000);
    if (process.stderr.isTTY) {
      const part = fraction === undefined ? "" : ` ${bar(fraction)}`;
      this.#shown = `${text}${part} (${seconds} s)`.slice(0, (process.stderr.columns ?? 80) - 1);
      process.stderr.write(`\r\x1b[K${this.#shown}`);
    } else if (text !== this.#lastText) {
      note(`${text} (${seconds} s)`);
    }
    this.#lastText = text;
  };

  /** Clears the line, so that what follows stands on its own. */
  end(): void {
    if (this.#shown !== "") process.stderr.write("\r\x1b[K");
    this.#shown = "";
  }
}

/** Runs work with its steps shown. */
export async function withProgress<Value>(
  work: (onStep: StepProgress["onStep"]) => Promise<Value>,
): Promise<Value> {
  const progress = new StepProgress();
  try {
    return await work(progress.onStep);
  } finally {
    progress.end();
  }
}

const BAR_WIDTH = 20;

function bar(fraction: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  return `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}]`;
}
