import { randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { link, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { STATE_DIRECTORY } from "./directories.mjs";
import { syncDirectory } from "./write-whole.mjs";

/** The file with the passphrase that the set-up makes. */
export const PASSPHRASE = join(STATE_DIRECTORY, "passphrase");

/** There while the passphrase is changed, from before the first stack has the next one until all have it. */
export const NEXT_PASSPHRASE = `${PASSPHRASE}.next`;

/** Makes a passphrase where there is none. */
export async function ensurePassphrase() {
  if (existsSync(PASSPHRASE)) return;
  const draft = `${PASSPHRASE}.${randomUUID()}.new`;
  try {
    await writeFile(draft, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flush: true });
    // Of two at once the first one's stays.
    await link(draft, PASSPHRASE).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  // Stacks are encrypted with it from now on.
  await syncDirectory(dirname(PASSPHRASE));
}

/** Whether Pulumi has found a passphrase to be another one than a stack's secrets were encrypted with, or to be gone. */
export function isWrongPassphrase(/** @type {string} */ said) {
  return /incorrect passphrase|unable to read PULUMI_CONFIG_PASSPHRASE_FILE/i.test(said);
}

/**
 * What to do about it.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} [environment]
 */
export function wrongPassphrase(stack, environment = process.env) {
  const { PULUMI_CONFIG_PASSPHRASE: given, PULUMI_CONFIG_PASSPHRASE_FILE: file = PASSPHRASE } = environment;
  if (file === PASSPHRASE && existsSync(NEXT_PASSPHRASE)) {
    return "a change of the passphrase was cut off, and stacks have the next one already: ./pgstack state rotate-passphrase ends it";
  }
  const gone = given === undefined && !existsSync(file);
  const what = gone
    ? "the passphrase (.pgstack/passphrase) is gone: bring your copy of it back"
    : `Pulumi.${stack}.yaml or the stack's state was encrypted with another passphrase than this checkout has ` +
      "(.pgstack/passphrase, or PULUMI_CONFIG_PASSPHRASE): bring that one here";
  return (
    `${what}. Where it is lost for good, ./pgstack --stack ${stack} state rebuild makes a new state from the running ` +
    "server. Where the stack was never brought up, and its settings hold no secret, remove the line encryptionsalt " +
    "instead: a new one is made"
  );
}
