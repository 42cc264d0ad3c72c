import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../write-whole.ts";

/** What `pgstack:promotion` says of the last promotion to a stack. */
export interface PromotionRecord {
  readonly from: string;
  readonly commit: string;
  /** ISO 8601. */
  readonly at: string;
}

/** What puts a stack back to where a promotion found it, and what the promotion wrote itself. */
export interface Journal {
  readonly from: string;
  readonly commit: string;
  /** When it began: the promotion's own record has it too. Absent: an earlier version of pgstack wrote this. */
  readonly at?: string;
  /** Text of the stack's settings as the promotion found them. */
  readonly settings: string;
  /** SHA-256 of the text that it wrote in their place. Absent as `at` is. */
  readonly settingsWritten?: string;
  /** Version of the schema as it found it; absent: the promotion does not touch it. */
  readonly schemaVersion?: string;
  /** The schema in detail. Absent where `schemaVersion` is, or as `at` is. */
  readonly schema?: JournalSchema;
  /** An `up` has begun to apply it. Absent: nothing but the settings file was changed. */
  readonly applying?: true;
}

/** The migrations that a promotion found and brings, and how much had been written to each table. */
export interface JournalSchema {
  readonly wanted: string;
  readonly applied: readonly { readonly name: string; readonly checksum: string }[];
  /** Rows inserted, updated and deleted so far, by table, as PostgreSQL counts them. */
  readonly writes: Readonly<Record<string, number>>;
}

/** Tells the `up` that a promotion runs itself which one it is of, by its beginning. */
const VARIABLE = "PGSTACK_PROMOTION";

/** Environment of the `up` of a promotion. */
export function promoting({ at }: Journal): Record<string, string> {
  return at === undefined ? {} : { [VARIABLE]: at };
}

/** Whether this process is the `up` of the promotion itself. */
export function isPromoting({ at }: Journal): boolean {
  return at !== undefined && process.env[VARIABLE] === at;
}

/** What became of an interrupted promotion. */
export type Outcome =
  /** A later `up` has brought the stack to what it wrote, or to a later promotion. */
  | "completed"
  /** The stack was brought back to what was before by hand. */
  | "undone"
  /** Neither: it may be completed or put back. */
  | "open";

/** The journal of a promotion that has not ended; undefined when there is none. */
export async function readJournal(project: string, stack: string): Promise<Journal | undefined> {
  try {
    return JSON.parse(await readFile(journalPath(project, stack), "utf8")) as Journal;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export async function writeJournal(project: string, stack: string, journal: Journal): Promise<void> {
  await writeWhole(journalPath(project, stack), JSON.stringify(journal, undefined, 2));
}

export async function removeJournal(project: string, stack: string): Promise<void> {
  await rm(journalPath(project, stack), { force: true });
}

export function journalPath(project: string, stack: string): string {
  return join(project, ".pgstack", "stacks", stack, "promotion.json");
}

/** SHA-256 of a settings file's text, hexadecimal. */
export function hashOfSettings(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * What a successful `up` made of an interrupted promotion.
 *
 * @param record What the settings that were applied say of the last promotion.
 * @param settings Their text; undefined: not known, which tells nothing of an undoing by hand.
 */
export function outcomeOf(
  journal: Journal,
  { record, settings }: { readonly record: PromotionRecord | null; readonly settings?: string },
): Outcome {
  if (record !== null && isSameOrLater(record, journal)) return "completed";
  // An up takes no migration back, and refuses a schema that is past its version: so it tells that of the schema, too.
  const schemaIsBack =
    journal.schemaVersion === undefined || /^\s*pgstack:schemaVersion:/m.test(journal.settings);
  return settings === journal.settings && schemaIsBack ? "undone" : "open";
}

function isSameOrLater(record: PromotionRecord, { from, commit, at }: Journal): boolean {
  if (at === undefined) return record.from === from && record.commit === commit;
  return Date.parse(record.at) >= Date.parse(at);
}
