import { interruption } from "./run.mjs";
import { UserError } from "./user-error.mjs";

/**
 * Runs a command to its exit code; a user's error is one line, Ctrl-C is not an error to explain.
 *
 * @param {() => Promise<number>} command
 */
export async function runMain(command) {
  try {
    process.exitCode = await command();
  } catch (error) {
    if (interruption.signal.aborted && !(error instanceof UserError && error.message !== "interrupted")) {
      console.error("interrupted; run the same command again to go on");
      process.exitCode = 130;
      return;
    }
    console.error(error instanceof UserError ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}
