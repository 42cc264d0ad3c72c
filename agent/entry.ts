export type BackupKind = "logical" | "full" | "differential" | "incremental";

/** How a backup was looked at after it was taken. */
export interface Verification {
  /** `read back`: every byte was read and its checksum compared. `restored`: a cluster was made from it and checked. */
  readonly form: "read back" | "restored";
  readonly at: string;
  readonly result: "ok" | "failed";
  readonly message?: string;
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
  /** Of a physical one: the first transaction id that had not been given out when it began. */
  readonly nextTransaction?: string;
  /** Of a physical one: the timeline that it was taken on. */
  readonly timeline?: number;
  /** True: on a timeline that a restore has left. */
  readonly abandoned?: boolean;
  /** What an incremental one rests on. */
  readonly prior?: string;
  readonly repositories: readonly string[];
  readonly encrypted: boolean;
  readonly verification: Verification;
  /** Below the backup folder. */
  readonly path?: string;
}

/** Whether a backup can be relied on. */
export function isGood(entry: BackupEntry): boolean {
  return entry.verification.result === "ok";
}
