import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "./configuration.ts";
import { isCode, Refusal } from "./failure.ts";
import { writeNew, writeWhole } from "./files.ts";

/** Whose a backup folder is. */
export interface FolderIdentity {
  readonly format: 1;
  readonly stack: string;
  readonly id: string;
  /** Id of the folder in whose place an operator put this one, giving up what that held; `unknown`: whichever it was. */
  readonly replaces?: string;
}

/** The file in a backup folder that says so. */
export const IDENTITY_FILE = "pgstack-backups.json";

/**
 * Makes sure that the backup folder is the stack's own, so that a wrong mount is noticed before anything is written to
 * it. An empty one becomes the stack's.
 *
 * @returns Whose it is: the id stays the same as long as it is the same folder.
 */
export async function requireOwnFolder({
  backupDirectory,
  stack,
}: AgentConfiguration): Promise<FolderIdentity> {
  const path = join(backupDirectory, IDENTITY_FILE);
  let identity = await readIdentity(path);
  if (identity === undefined) {
    // Several of the agent's programs may find it empty at once: the first one says whose it is.
    await writeNew(path, identityText(newIdentity(stack)));
    identity = await readIdentity(path);
  }
  if (identity === undefined) throw new Error(`${IDENTITY_FILE} is gone from the backup folder again`);
  if (identity.stack !== stack) {
    throw new Refusal(
      `the backup folder is that of stack ${identity.stack}: set pgstack:backupDirectory or pgstack:backupVolumeName to another`,
    );
  }
  return identity;
}

async function readIdentity(path: string): Promise<FolderIdentity | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as FolderIdentity;
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Notes that the folder takes the place of another one, as an operator has decided. */
export async function replaceFolder(configuration: AgentConfiguration, replaces: string): Promise<void> {
  const identity = { ...(await requireOwnFolder(configuration)), replaces };
  await writeWhole(join(configuration.backupDirectory, IDENTITY_FILE), identityText(identity));
}

/** An identity that no other folder has. */
export function newIdentity(stack: string): FolderIdentity {
  return { format: 1, stack, id: randomUUID() };
}

/** Content of its file. */
export function identityText(identity: FolderIdentity): string {
  return `${JSON.stringify(identity)}\n`;
}
