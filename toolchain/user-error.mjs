/**
 * An error whose message is meant for the person at the keyboard: one clear
 * line that says what is wrong and what to do, shown without a stack.
 */
export class UserError extends Error {
  /**
   * @param {string} message one line
   * @param {{cause?: unknown}} [options]
   */
  constructor(message, options) {
    super(message, options);
    this.name = "UserError";
  }
}
