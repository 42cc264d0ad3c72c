import { readBackupFolder } from "./health/backup-folder.ts";
import type { Target } from "./target.ts";

/** What the last drill has proven. */
export interface RecoveryProof {
  /** When, ISO 8601 in UTC. */
  readonly provenAt: string;
  readonly result: "ok" | "failed";
  /** The backup that was restored; absent when none could be. */
  readonly backup?: string;
  /** Recovery time: seconds from nothing to the first answered query. */
  readonly rtoSeconds?: number;
  /** Recovery point: seconds of commits that the archive did not have yet. */
  readonly rpoSeconds?: number;
}

const LOOK_MILLISECONDS = 10_000;

/** What the last drill has proven; null when there was none, or the server cannot be asked. */
export async function recoveryProof(target: Target): Promise<RecoveryProof | null> {
  const folder = await readBackupFolder(target, LOOK_MILLISECONDS).catch(() => undefined);
  if (folder?.drill === undefined) return null;
  const { at, result, backup, rtoSeconds, rpoSeconds } = folder.drill;
  return {
    ...{ provenAt: at, result },
    ...(backup === undefined ? {} : { backup }),
    ...(rtoSeconds === undefined ? {} : { rtoSeconds }),
    ...(rpoSeconds === undefined ? {} : { rpoSeconds }),
  };
}
