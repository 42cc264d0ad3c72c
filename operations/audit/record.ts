import { createHash } from "node:crypto";

/** One line of an audit log. Times in UTC, ISO 8601. */
export interface AuditRecord {
  /** When the operation ended. */
  readonly time: string;
  /** Counts from 1 over all months of a stack, without gaps. */
  readonly sequence: number;
  readonly operator: string;
  /** What was done, for example `rotate credential`. */
  readonly operation: string;
  readonly stack: string;
  /** Key parameters, secrets taken out. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly result: "ok" | "failed";
  /** The error's message, when it failed. */
  readonly error?: string;
  readonly durationMilliseconds: number;
  /** The hash of the record before this one; {@link FIRST_PREVIOUS_HASH} in the first. */
  readonly previousHash: string;
  /** SHA-256 over the record without this field, as JSON with sorted keys. */
  readonly hash: string;
}

/** What {@link AuditRecord.previousHash} is in a stack's first record. */
export const FIRST_PREVIOUS_HASH = "0".repeat(64);

/** The record with its hash, ready to be written. */
export function sealRecord(record: Omit<AuditRecord, "hash">): AuditRecord {
  return { ...record, hash: hashOf(record) };
}

/** The record's line as it stands in the log, without the line's end. */
export function recordLine(record: AuditRecord): string {
  return JSON.stringify(record);
}

/**
 * Reads a line back.
 *
 * Besides the hash the line must be byte for byte what {@link recordLine} writes, so that no edit at all goes
 * unseen, not even one that JSON would not care about.
 *
 * @returns the record, or in a few words what is wrong with the line.
 */
export function readRecord(line: string): AuditRecord | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "not a JSON record";
  }
  if (!isRecord(value)) return "not an audit record";
  const { hash, ...rest } = value;
  if (hashOf(rest) !== hash) return "edited: its hash does not fit its content";
  if (recordLine(value) !== line) return "edited: not written as this program writes it";
  return value;
}

/** JSON with all keys sorted, so that equal content gives equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  );
}

function hashOf(record: Omit<AuditRecord, "hash">): string {
  return createHash("sha256").update(canonicalJson(record)).digest("hex");
}

function isRecord(value: unknown): value is AuditRecord {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Partial<Record<keyof AuditRecord, unknown>>;
  return (
    Number.isSafeInteger(record.sequence) &&
    typeof record.time === "string" &&
    typeof record.operator === "string" &&
    typeof record.operation === "string" &&
    typeof record.stack === "string" &&
    typeof record.parameters === "object" &&
    record.parameters !== null &&
    (record.result === "ok" || record.result === "failed") &&
    typeof record.durationMilliseconds === "number" &&
    typeof record.previousHash === "string" &&
    typeof record.hash === "string"
  );
}
