import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "../../operations/user-error.ts";
import { syncDirectory, writeWhole } from "../../operations/write-whole.ts";
import { PROJECT_DIRECTORY, STATE_DIRECTORY } from "../../toolchain/directories.mjs";
import { PASSPHRASE } from "../../toolchain/passphrase.mjs";
import { saveState } from "../../toolchain/state-backups.mjs";
import { WrongPassphrase } from "../exit-codes.ts";
import { settingsFile } from "../new-stack.ts";
import { runPulumi } from "../pulumi.ts";
import { auditedState } from "./audited.ts";

/** There from the first stack that has the new one until the last has it. */
const NEXT = join(STATE_DIRECTORY, "passphrase.next");

/**
 * Makes a new passphrase and encrypts every stack with it. Killed half way, it goes on where it was when it is run again.
 *
 * @returns The stacks.
 * @throws UserError before anything is changed, when a stack opens with neither passphrase.
 */
export async function rotatePassphrase(onStep: (text: string) => void): Promise<string[]> {
  if (
    process.env["PULUMI_CONFIG_PASSPHRASE"] !== undefined ||
    process.env["PULUMI_CONFIG_PASSPHRASE_FILE"] !== PASSPHRASE
  ) {
    throw new UserError(
      "the passphrase is not the one in .pgstack/passphrase: change it where it is kept, and run pulumi stack change-secrets-provider passphrase for each stack (docs/environments.md)",
    );
  }
  const stacks = await stackNames();
  if (stacks.length === 0)
    throw new UserError("there is no stack yet: nothing is encrypted with the passphrase");
  if (!existsSync(NEXT)) {
    for (const stack of stacks) await requireOpen(stack, [PASSPHRASE]);
    await writeWhole(NEXT, `${randomBytes(32).toString("base64url")}\n`);
  }
  const next = await readFile(NEXT, "utf8");
  for (const stack of stacks) await requireOpen(stack, [PASSPHRASE, NEXT]);
  for (const stack of stacks) {
    if (await opens(stack, NEXT)) continue;
    onStep(`${stack}: encrypting its settings and its state anew`);
    await auditedState(stack, "state.rotate-passphrase", {}, async () => {
      await withPassphrase(stack, PASSPHRASE, ["stack", "change-secrets-provider", "passphrase"], next);
    });
    await requireOpen(stack, [NEXT]);
  }
  await rename(NEXT, PASSPHRASE);
  await syncDirectory(dirname(PASSPHRASE));
  for (const stack of stacks) await saveState(stack, process.env);
  return stacks;
}

async function stackNames(): Promise<string[]> {
  const { run } = await import("../../toolchain/run.mjs");
  const listed = await run("pulumi", ["stack", "ls", "--json", "--non-interactive"], {
    cwd: PROJECT_DIRECTORY,
  });
  return (JSON.parse(listed) as { readonly name: string }[]).map(
    ({ name }) => name.split("/").at(-1) ?? name,
  );
}

async function requireOpen(stack: string, files: readonly string[]): Promise<void> {
  if (!existsSync(settingsFile(stack))) {
    throw new UserError(
      `nothing was changed: stack ${stack} has no file Pulumi.${stack}.yaml here; take it from version control`,
    );
  }
  for (const file of files) if (await opens(stack, file)) return;
  throw new UserError(
    `nothing was changed: stack ${stack} is encrypted with another passphrase than .pgstack/passphrase; pgstack --stack ${stack} state rebuild makes it anew`,
  );
}

async function opens(stack: string, file: string): Promise<boolean> {
  try {
    await withPassphrase(stack, file, ["stack", "output", "--json", "--show-secrets"], "");
    // A stack that was never brought up has no secret in its state; its settings may have one.
    await withPassphrase(stack, file, ["config", "--show-secrets", "--json"], "");
    return true;
  } catch (error) {
    if (error instanceof WrongPassphrase) return false;
    throw error;
  }
}

async function withPassphrase(
  stack: string,
  file: string,
  words: readonly string[],
  input: string,
): Promise<string> {
  const env = { ...process.env, PULUMI_CONFIG_PASSPHRASE_FILE: file };
  return await runPulumi(stack, words, { input, env });
}
