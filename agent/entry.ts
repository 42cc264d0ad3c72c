import type { Finding } from "./verification/findings.ts";

export type BackupKind = "logical" | "full" | "differential" | "incremental";

/** How a backup was looked at after it was taken. */
export interface Verification {
  /** `read back`: every byte was read and its checksum compared. `restored`: a cluster was made from it and checked. */
  readonly form: "read back" | "restored";
  readonly at: string;
  readonly result: "ok" | "failed";
  readonly message?: string;
  /** What was so at the source already; not more than some. */
  readonly warnings?: readonly string[];
}

/** One backup, in metadata.json and everywhere. Times are ISO 8601 in UTC. */
export interface BackupEntry {
  /** A logical one's own; a physical one's label in pgBackRest. */
  readonly id: string;
  readonly kind: BackupKind;
  /** The user's word for it. */
  readonly label?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** What it takes where it is kept. */
  readonly bytes: number;
  readonly databaseBytes?: number;
  /** `sha256:…` over a logical backup's files. Absent: pgBackRest keeps one of each file in its manifest. */
  readonly checksum?: string;
  readonly serverVersion: string;
  readonly systemIdentifier: string;
  /** SHA-256 over the schema's definition. */
  readonly schemaFingerprint?: string;
  readonly startLsn?: string;
  readonly stopLsn?: string;
  readonly startWal?: string;
  readonly stopWal?: string;
  /** Of a physical one: the folder of the archive that its log is in, such as `16-1`. */
  readonly archiveId?: string;
  /** Of a physical one: the segment from which on the archive was kept, where it let go of what lay before. */
  readonly logFrom?: string;
  /** Of a physical one: the first transaction id that had not been given out when it began. */
  readonly nextTransaction?: string;
  /** Of a physical one: the timeline that it was taken on. */
  readonly timeline?: number;
  /** True: on a timeline that a restore has left. */
  readonly abandoned?: boolean;
  /** True: the log after it was let go, so that it can be restored as of its own end and no further. */
  readonly ownEndOnly?: boolean;
  /** What an incremental one rests on. */
  readonly prior?: string;
  readonly repositories: readonly string[];
  readonly encrypted: boolean;
  readonly verification: Verification;
  /** What was odd in the database in the moment of the backup; not more than some. Absent: not looked at. */
  readonly findings?: readonly Finding[];
  /** Below the backup folder. */
  readonly path?: string;
}

/** Whether a backup can be relied on. */
export function isGood(entry: BackupEntry): boolean {
  return entry.verification.result === "ok";
}

/** Whether a backup is a physical one that a repository has. */
export function isPhysicalIn(repository: string): (entry: BackupEntry) => boolean {
  return ({ kind, repositories }) => kind !== "logical" && repositories.includes(repository);
}

/** Tells a backup from all others: what was copied from one repository to another has the same id in both. */
export function entryKey({ id, repositories }: Pick<BackupEntry, "id" | "repositories">): string {
  return `${id} ${repositories.join()}`;
}

/** What is kept of findings and warnings where they are only for reading. */
const MOST_NOTED = 20;
const LONGEST_NOTE = 400;

/** Warnings as a verification or a report keeps them; nothing where there are none. */
export function noted(warnings: readonly string[]): { readonly warnings?: readonly string[] } {
  if (warnings.length === 0) return {};
  const more = warnings.length - MOST_NOTED;
  const kept = warnings.slice(0, MOST_NOTED).map((warning) => warning.slice(0, LONGEST_NOTE));
  return { warnings: more > 0 ? [...kept, `and ${more} more`] : kept };
}

/** Findings as an entry keeps them. */
export function notedFindings(findings: readonly Finding[]): Finding[] {
  return findings
    .filter(({ object, message }) => object.length + message.length < LONGEST_NOTE * 2)
    .slice(0, MOST_NOTED);
}

/** Everything that is told of a backup's source: what was odd when it was taken, and what its verification added. */
export function warningsOf({ findings = [], verification }: BackupEntry): readonly string[] {
  return [...new Set([...findings.map(({ message }) => message), ...(verification.warnings ?? [])])];
}

/** The newest logical and the newest physical backup: what is told of the source is told by them. */
export function newestOfEach(entries: readonly BackupEntry[]): BackupEntry[] {
  const newest = [true, false].map((logical) =>
    entries.findLast(({ kind }) => (kind === "logical") === logical),
  );
  return newest.filter((entry) => entry !== undefined);
}
