import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";
import { isWrongPassphrase, wrongPassphrase } from "./passphrase.mjs";
import { run } from "./run.mjs";
import { UserError } from "./user-error.mjs";

/**
 * Whether a passphrase opens a stack's state; one without secrets is opened by any.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment with the passphrase
 */
export async function stateOpens(stack, environment) {
  return await isRight(["stack", "output", "--json", "--show-secrets", "--stack", stack], environment);
}

/**
 * Whether a passphrase opens a stack's settings.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment with the passphrase
 */
export async function settingsOpen(stack, environment) {
  const folder = await mkdtemp(join(tmpdir(), "pgstack-settings-"));
  const name = `Pulumi.${stack}.yaml`;
  const copy = join(folder, name);
  const about = ["--config-file", copy, "--stack", stack];
  try {
    await copyFile(join(PROJECT_DIRECTORY, name), copy);
    return (
      // Where no value is secret yet, only writing one tells.
      (await isRight(["config", "set", "--secret", "pgstack:opened", "yes", ...about], environment)) &&
      (await isRight(["config", "--show-secrets", "--json", ...about], environment))
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Pulumi's own words do not tell what to do about a passphrase that opens nothing. Does nothing where something else is
 * wrong.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment
 * @throws UserError that tells, where the passphrase is another one than that of settings and state.
 */
export async function explainPassphrase(stack, environment) {
  const opened = async () =>
    (await settingsOpen(stack, environment)) && (await stateOpens(stack, environment));
  if (!(await opened().catch(() => true))) throw new UserError(wrongPassphrase(stack, environment));
}

/**
 * @param {readonly string[]} words
 * @param {NodeJS.ProcessEnv} environment
 */
async function isRight(words, environment) {
  try {
    await run("pulumi", [...words, "--non-interactive"], { cwd: PROJECT_DIRECTORY, env: environment });
    return true;
  } catch (error) {
    if (isWrongPassphrase(String(error))) return false;
    throw error;
  }
}
