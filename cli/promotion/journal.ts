import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../../operations/write-whole.ts";
import { STATE_DIRECTORY } from "../../toolchain/directories.mjs";

/** What puts a stack back to where a promotion found it. */
export interface Journal {
  readonly from: string;
  readonly commit: string;
  /** Text of the stack's settings. */
  readonly settings: string;
  /** Version of its schema; absent: the promotion does not touch it. */
  readonly schemaVersion?: string;
}

/** The journal of a promotion that has not ended; undefined when there is none. */
export async function readJournal(stack: string): Promise<Journal | undefined> {
  try {
    return JSON.parse(await readFile(place(stack), "utf8")) as Journal;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export async function writeJournal(stack: string, journal: Journal): Promise<void> {
  await writeWhole(place(stack), JSON.stringify(journal, undefined, 2));
}

export async function removeJournal(stack: string): Promise<void> {
  await rm(place(stack), { force: true });
}

function place(stack: string): string {
  return join(STATE_DIRECTORY, "stacks", stack, "promotion.json");
}
