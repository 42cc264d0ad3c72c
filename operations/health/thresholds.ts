/** A limit from which a check warns, and one from which it fails. */
export interface Limits {
  readonly warn: number;
  readonly fail: number;
}

/** Free room below which a check speaks up; both must be undershot, so that neither large nor small disks alarm falsely. */
export interface RoomLimit {
  /** Free part of the file system, 0 to 1. */
  readonly freeFraction: number;
  readonly freeBytes: number;
}

/** When a health check warns and when it fails. Every value has a default in {@link DEFAULT_THRESHOLDS}. */
export interface HealthThresholds {
  /** Milliseconds of one round trip of a trivial query. Default: warn from 500; never fails (fail: {@link NEVER}). */
  readonly queryMilliseconds: Limits;
  /** Room on the file systems of the data directory and, only to warn, of the backups. Default: warn under 20 % and 20 GB, fail under 5 % and 2 GB. */
  readonly disk: { readonly warn: RoomLimit; readonly fail: RoomLimit };
  /** Used part of the connections that ordinary roles may have, 0 to 1. Default: warn 0.8, fail 0.95. */
  readonly connections: Limits;
  /** Seconds that a standby replays behind. Default: warn 30, fail 300. */
  readonly replicationLagSeconds: Limits;
  /** Bytes of WAL that a replication slot holds back. Default: warn 1 GB, fail 10 GB. */
  readonly retainedWalBytes: Limits;
  /** Seconds that the oldest finished WAL segment waits for its archive. Default: warn 300, fail 3,600. */
  readonly archiveLagSeconds: Limits;
  /**
   * Transactions since the oldest unfrozen one. Default: warn 500 million, fail 1,500 million; the server itself
   * starts emergency vacuum at 1,600 million and refuses writes 3 million before 2,147 million.
   * https://www.postgresql.org/docs/16/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND
   */
  readonly transactionIdAge: Limits;
  /** Scheduled backups in a row that are missing. Default: warn from 1, fail from 2. */
  readonly missedBackups: Limits;
  /** Seconds that a scheduled backup may take before it counts as missing. Default: 7,200. */
  readonly backupGraceSeconds: number;
  /** Days left of the certificate from which to warn, each more urgently. Default: 30, 14, 7. It fails at expiry. */
  readonly certificateDays: readonly number[];
}

/** A limit that nothing reaches, and that JSON can hold. */
export const NEVER = Number.MAX_SAFE_INTEGER;
const MEGA = 1024 ** 2;
const GIGA = 1024 ** 3;

/** The thresholds of a check that names none. */
export const DEFAULT_THRESHOLDS: HealthThresholds = {
  queryMilliseconds: { warn: 500, fail: NEVER },
  disk: {
    warn: { freeFraction: 0.2, freeBytes: 20 * GIGA },
    fail: { freeFraction: 0.05, freeBytes: 2 * GIGA },
  },
  connections: { warn: 0.8, fail: 0.95 },
  replicationLagSeconds: { warn: 30, fail: 300 },
  retainedWalBytes: { warn: 1024 * MEGA, fail: 10 * GIGA },
  archiveLagSeconds: { warn: 300, fail: 3_600 },
  transactionIdAge: { warn: 500_000_000, fail: 1_500_000_000 },
  missedBackups: { warn: 1, fail: 2 },
  backupGraceSeconds: 7_200,
  certificateDays: [30, 14, 7],
};

/** Which side of its limits a value lies on; reaching a limit counts. */
export function judge(value: number, limits: Limits): "ok" | "warning" | "failed" {
  if (value >= limits.fail) return "failed";
  return value >= limits.warn ? "warning" : "ok";
}
