import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { type DrillResult, lastDrill } from "./drill.ts";
import type { BackupEntry } from "./entry.ts";
import { type Holder, holderOf } from "./exclusive.ts";
import { messageOf } from "./failure.ts";
import { requireOwnFolder } from "./identity.ts";
import { type Lineage, readRecordedLineage } from "./lineage/record.ts";
import { readBackups } from "./metadata.ts";
import { type ArchiveState, archiveState } from "./physical/archive.ts";
import { type QueueState, queueState } from "./physical/queue.ts";
import { type Journal, keptPrevious, readJournal } from "./restore/swap.ts";
import { nextDue } from "./schedule/due.ts";
import { lastRuns, type RunRecord, readState } from "./schedule/state.ts";
import { type RecoveryPoint, recoveryPoint } from "./stream/recovery-point.ts";

/** How backups stand. */
export interface AgentStatus {
  readonly folder: string;
  readonly backups: readonly BackupEntry[];
  readonly problems: readonly string[];
  readonly archive?: ArchiveState;
  /** What the loss of the host would cost; absent while the server cannot be asked. */
  readonly recoveryPoint?: RecoveryPoint;
  /** What the object storage lacks of the archive. */
  readonly queue: QueueState;
  readonly drill?: DrillResult;
  readonly nextBackup: string;
  readonly lastRuns: readonly RunRecord[];
  /** The timeline that the stack is on, the full backup that is owed for it, and the timelines that restores have left. */
  readonly lineage?: Pick<Lineage, "chain" | "owed" | "abandoned" | "by" | "at">;
  /** What is at work now. */
  readonly holder?: Holder;
  /** A restore that is not finished. */
  readonly restore?: Journal;
  /** Restores whose cluster from before is still kept. */
  readonly kept: readonly string[];
}

/** Everything about backups that a screen, a health check or a monitoring system shows. */
export async function status(configuration: AgentConfiguration, context: Context): Promise<AgentStatus> {
  const problems: string[] = [];
  const noted = async <Value>(work: Promise<Value>): Promise<Value | undefined> =>
    work.catch((error: unknown) => {
      context.signal.throwIfAborted();
      problems.push(messageOf(error));
      return undefined;
    });
  const now = new Date();
  const read = readBackups(configuration, context);
  const [folder, backups, archive, point, queue, drill, state, runs, lineage, holder, restore, kept] =
    await Promise.all([
      noted(requireOwnFolder(configuration)),
      noted(read),
      noted(archiveState(configuration, context, read)),
      // That the server does not answer is told by the line before.
      recoveryPoint(configuration, context).catch(() => undefined),
      noted(queueState(configuration)),
      lastDrill(configuration),
      readState(configuration),
      lastRuns(configuration, 5),
      readRecordedLineage(configuration),
      noted(holderOf(configuration)),
      noted(readJournal(configuration)),
      noted(keptPrevious(configuration)),
    ]);
  return {
    folder: folder?.id ?? "unknown",
    backups: backups?.entries ?? [],
    problems: [...problems, ...(backups?.problems ?? [])],
    ...(archive === undefined ? {} : { archive }),
    ...(point === undefined ? {} : { recoveryPoint: point }),
    queue: queue ?? { waiting: 0 },
    ...(drill === undefined ? {} : { drill }),
    nextBackup: nextDue(configuration.schedule.backup, state.backup ?? {}, now).toISOString(),
    lastRuns: runs,
    ...(lineage === undefined ? {} : { lineage }),
    ...(holder === undefined ? {} : { holder }),
    ...(restore === undefined ? {} : { restore }),
    kept: kept ?? [],
  };
}
