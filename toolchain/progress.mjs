/**
 * Shows the steps of a set-up, several at a time: a live line on a terminal, plain lines elsewhere.
 * Everything goes to standard error, so that standard output stays a program's own.
 */
export class Progress {
  /** @type {Map<string, {started: number, note: string}>} */
  #running = new Map();
  #terminal = process.stderr.isTTY === true;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /**
   * @template Result
   * @param {string} name
   * @param {(note: (text: string) => void) => Promise<Result>} work
   * @returns {Promise<Result>}
   */
  async step(name, work) {
    const entry = { started: Date.now(), note: "" };
    this.#running.set(name, entry);
    if (!this.#terminal) this.#line(`  … ${name}`);
    this.#draw();
    try {
      const result = await work((text) => {
        entry.note = text;
      });
      this.#finish(name, `  ✓ ${name} (${seconds(entry.started)})`);
      return result;
    } catch (error) {
      this.#finish(name, `  ✗ ${name} (${seconds(entry.started)})`);
      throw error;
    }
  }

  /** @param {string} text */
  say(text) {
    this.#line(text);
    this.#draw();
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #finish(name, text) {
    this.#running.delete(name);
    this.#line(text);
    this.#draw();
  }

  /** @param {string} text */
  #line(text) {
    process.stderr.write(this.#terminal ? `\r\x1b[K${text}\n` : `${text}\n`);
  }

  #draw() {
    if (!this.#terminal) return;
    if (this.#running.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      process.stderr.write("\r\x1b[K");
      return;
    }
    const steps = [...this.#running].map(
      ([name, { started, note }]) => `${name} ${seconds(started)}${note ? ` ${note}` : ""}`,
    );
    process.stderr.write(`\r\x1b[K  ⋯ ${steps.join(" · ").slice(0, (process.stderr.columns ?? 80) - 6)}`);
    this.#timer ??= setInterval(() => this.#draw(), 250).unref();
  }
}

/** @param {number} started */
function seconds(started) {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`;
}
