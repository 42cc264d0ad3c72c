import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "./configuration.ts";
import { isCode, Refusal } from "./failure.ts";
import { writeWhole } from "./files.ts";

/** Whose a backup folder is. */
interface FolderIdentity {
  readonly format: 1;
  readonly stack: string;
  readonly id: string;
  /** Id of the folder in whose place an operator put this one, giving up what that held; `unknown`: whichever it was. */
  readonly replaces?: string;
}

const FILE = "pgstack-backups.json";

/**
 * Makes sure that the backup folder is the stack's own, so that a wrong mount is noticed before anything is written to
 * it. An empty one becomes the stack's.
 *
 * @returns The folder's id, which stays the same as long as it is the same folder.
 */
export async function requireOwnFolder({ backupDirectory, stack }: AgentConfiguration): Promise<string> {
  const path = join(backupDirectory, FILE);
  try {
    const identity = JSON.parse(await readFile(path, "utf8")) as FolderIdentity;
    if (identity.stack !== stack) {
      throw new Refusal(
        `the backup folder is that of stack ${identity.stack}: set pgstack:backupDirectory or pgstack:backupVolumeName to another`,
      );
    }
    return identity.id;
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
  const identity: FolderIdentity = { format: 1, stack, id: randomUUID() };
  await writeWhole(path, `${JSON.stringify(identity)}\n`);
  return identity.id;
}

/** Notes that the folder takes the place of another one, as an operator has decided. */
export async function replaceFolder(configuration: AgentConfiguration, replaces: string): Promise<string> {
  const id = await requireOwnFolder(configuration);
  const identity: FolderIdentity = { format: 1, stack: configuration.stack, id, replaces };
  await writeWhole(join(configuration.backupDirectory, FILE), `${JSON.stringify(identity)}\n`);
  return id;
}
