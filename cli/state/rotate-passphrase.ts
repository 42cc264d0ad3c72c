import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withStackLock } from "../../operations/lock/stack.ts";
import { withLock } from "../../operations/lock.ts";
import { interruptedLine } from "../../operations/promotion/words.ts";
import { UserError } from "../../operations/user-error.ts";
import { syncDirectory, writeWhole } from "../../operations/write-whole.ts";
import { PROJECT_DIRECTORY, STATE_DIRECTORY } from "../../toolchain/directories.mjs";
import { settingsOpen, stateOpens } from "../../toolchain/opens.mjs";
import { NEXT_PASSPHRASE, PASSPHRASE } from "../../toolchain/passphrase.mjs";
import { saveState } from "../../toolchain/state-backups.mjs";
import { settingsFile } from "../new-stack.ts";
import { openPromotion } from "../promotion/interrupted.ts";
import { runPulumi } from "../pulumi.ts";
import { auditedState } from "./audited.ts";
import { withFormerSecrets } from "./former-secrets.ts";

/** Settings files as they were, by stack, for what a run that was cut off has half changed. */
const FORMER = join(STATE_DIRECTORY, "passphrase.former");

/**
 * Makes a new passphrase and encrypts every stack with it. Cut off at any place, it goes on where it was when it is run again.
 *
 * @returns The stacks.
 * @throws UserError before anything is changed, when a stack opens with neither passphrase, or another run is at it.
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
  // Two at once would encrypt with two passphrases, and keep one.
  return await withLock(`${PASSPHRASE}.lock`, () => rotateLocked(onStep), {
    ...{ waitMilliseconds: 0, purpose: "a new passphrase" },
  });
}

async function rotateLocked(onStep: (text: string) => void): Promise<string[]> {
  const stacks = await stackNames();
  if (stacks.length === 0)
    throw new UserError("there is no stack yet: nothing is encrypted with the passphrase");
  return await withStackLocks(stacks, () => rotateStacks(stacks, onStep));
}

/** Nobody else changes any of the stacks meanwhile. */
async function withStackLocks<Value>(
  [stack, ...others]: readonly string[],
  work: () => Promise<Value>,
): Promise<Value> {
  if (stack === undefined) return await work();
  return await withStackLock(PROJECT_DIRECTORY, stack, "a new passphrase", () =>
    withStackLocks(others, work),
  );
}

async function rotateStacks(stacks: readonly string[], onStep: (text: string) => void): Promise<string[]> {
  if (!existsSync(NEXT_PASSPHRASE)) {
    for (const stack of stacks) await requireNoPromotion(stack);
    for (const stack of stacks) await requireOpen(stack, [PASSPHRASE]);
    // A former try's, of another time.
    await rm(FORMER, { recursive: true, force: true });
    await writeWhole(NEXT_PASSPHRASE, `${randomBytes(32).toString("base64url")}\n`);
  }
  const next = await readFile(NEXT_PASSPHRASE, "utf8");
  for (const stack of stacks) {
    await putBack(stack);
    await requireOpen(stack, [PASSPHRASE, NEXT_PASSPHRASE]);
  }
  for (const stack of stacks) {
    if (await opens(stack, NEXT_PASSPHRASE)) continue;
    onStep(`${stack}: encrypting its settings and its state anew`);
    await auditedState(stack, "state.rotate-passphrase", {}, () => encryptAnew(stack, next));
    await requireOpen(stack, [NEXT_PASSPHRASE]);
  }
  await rename(NEXT_PASSPHRASE, PASSPHRASE);
  await syncDirectory(dirname(PASSPHRASE));
  await rm(FORMER, { recursive: true, force: true });
  for (const stack of stacks) await saveState(stack, process.env);
  return [...stacks];
}

/** An interrupted promotion holds the settings from before it, as they were encrypted then. */
async function requireNoPromotion(stack: string): Promise<void> {
  const journal = await openPromotion(stack);
  if (journal !== undefined) throw new UserError(`nothing was changed: ${interruptedLine(stack, journal)}`);
}

/** Pulumi writes the settings first, in two steps, and the state last. */
async function encryptAnew(stack: string, next: string): Promise<void> {
  await writeWhole(formerSettings(stack), await readFile(settingsFile(stack), "utf8"));
  try {
    const words = ["stack", "change-secrets-provider", "passphrase"];
    await runPulumi(stack, words, { input: next, env: environmentWith(PASSPHRASE) });
  } catch (error) {
    await putBack(stack);
    throw error;
  }
}

/** Settings that were encrypted anew, while their state was not, get their former encryption back, and nothing else. */
async function putBack(stack: string): Promise<void> {
  const former = await readFile(formerSettings(stack), "utf8").catch(() => undefined);
  if (former === undefined) return;
  for (const file of [PASSPHRASE, NEXT_PASSPHRASE]) if (await opens(stack, file)) return;
  if (!(await stateOpens(stack, environmentWith(PASSPHRASE)))) return;
  const file = settingsFile(stack);
  const { mode } = await stat(file);
  await writeWhole(file, withFormerSecrets(await readFile(file, "utf8"), former), mode & 0o777);
}

function formerSettings(stack: string): string {
  return join(FORMER, `Pulumi.${stack}.yaml`);
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

async function opens(stack: string, passphraseFile: string): Promise<boolean> {
  const environment = environmentWith(passphraseFile);
  return (await settingsOpen(stack, environment)) && (await stateOpens(stack, environment));
}

function environmentWith(passphraseFile: string): NodeJS.ProcessEnv {
  return { ...process.env, PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile };
}
