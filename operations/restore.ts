import { randomBytes } from "node:crypto";
import type { BackupEntry } from "../agent/entry.ts";
import type { Holder } from "../agent/exclusive.ts";
import type { PreparedCluster } from "../agent/restore/prepare.ts";
import { isUntouched, type Journal } from "../agent/restore/swap.ts";
import type { RecoveryTarget } from "../agent/restore/target.ts";
import { firstLines } from "../agent/verification/outcome.ts";
import { type AgentCall, callAgent } from "./agent.ts";
import { defaultOperator } from "./audit.ts";
import { markProven } from "./first-provision.ts";
import { whileHeld, withRestorer } from "./restore/restorer.ts";
import { endRecoverySettings, isWritable, startServer, stopServer } from "./restore/server.ts";
import type { Target } from "./target.ts";
import { errorLine, UserError } from "./user-error.ts";

export type { PreparedCluster } from "../agent/restore/prepare.ts";
export type { RecoveryTarget } from "../agent/restore/target.ts";

/** How a restore goes on. */
export interface RestoreOptions extends AgentCall {
  /** Why a restored cluster is taken that fails verification. Absent: it is kept beside the one in use, for a decision. */
  readonly accept?: string;
  /** Asked when the restored cluster is made and checked, before anything in use is changed; false ends the restore. */
  readonly confirm: (prepared: PreparedCluster) => Promise<boolean>;
  /** Proves that the restored server is healthy; what it throws brings the one before back. */
  readonly prove: () => Promise<void>;
  /** Seconds that the server may take to answer. Default: 600. */
  readonly timeoutSeconds?: number;
}

/** What a restore came to. */
export interface RestoreResult {
  readonly id: string;
  /** False: it was not confirmed, and nothing was changed. */
  readonly done: boolean;
  readonly prepared: PreparedCluster;
  /** The backup that was taken of the state before; absent when the server could not be backed up any more. */
  readonly safetyBackup?: string;
}

const TIMEOUT_SECONDS = 600;

/**
 * Brings a stack's database back to a point in time.
 *
 * In this order: the present state is backed up; the state at the target is made beside the running server, proven to be
 * reached, and checked; on confirmation the server stops, the two directories change names, and it starts on the restored
 * one, which is checked again. Whatever fails puts back what was there. The directory from before is kept until it is
 * forgotten by command.
 *
 * @throws UserError that says in which state the database is.
 */
export async function restoreInPlace(
  target: Target,
  wanted: RecoveryTarget,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const id = `${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}-${randomBytes(2).toString("hex")}`;
  await refuseUnfinished(target, options);
  // What can't be reached is refused before anything is backed up or written.
  await callAgent(target, "restore-plan", { target: wanted }, call(options));
  const safetyBackup = await backUpFirst(target, id, options);
  return whileHeld(target, `restore ${id} by ${defaultOperator()}`, () =>
    withRestorer(target, async (container) => {
      const inside = <Value>(operation: string, parameters: Readonly<Record<string, unknown>> = {}) =>
        callAgent<Value>(target, operation, { id, ...parameters }, { ...call(options), container });
      const prepared = await inside<PreparedCluster>("restore-prepare", {
        target: await recordedTarget(target, wanted, id, options),
      });
      const result = { id, prepared, ...(safetyBackup === undefined ? {} : { safetyBackup }) };
      options.signal?.throwIfAborted();
      await requireAccepted(target, container, { id, prepared, ...options });
      if (!(await options.confirm(prepared))) {
        await withoutSignal(target, container, "restore-undo", id);
        return { ...result, done: false };
      }
      await exchange(target, container, prepared, { ...options, id });
      return { ...result, done: true };
    }),
  );
}

/** What became of a restore that was not finished. */
export interface ResumeResult {
  readonly id: string;
  readonly state: "before" | "restored";
  /** Its cluster had failed verification and was put in use now. */
  readonly accepted: boolean;
  /** As {@link RestoreResult.safetyBackup}. */
  readonly safetyBackup?: string;
}

/**
 * Finds a restore that was cut off and ends it: one that had changed nothing yet is cleared away, one cut off between
 * the two directories is undone, one whose cluster was in use already is checked and finished, or undone. One whose
 * cluster failed verification is put in use where it is accepted, and else cleared away.
 *
 * @returns What became of it; undefined when there was none.
 */
export async function resumeRestore(
  target: Target,
  options: Pick<RestoreOptions, "prove" | "onStep" | "timeoutSeconds" | "accept" | "confirm"> & {
    /** Put back the state before, also where the restored cluster has been in use. */
    readonly undo?: boolean;
  },
): Promise<ResumeResult | undefined> {
  const kept = await acceptedCluster(target, options);
  if (kept !== undefined) return kept;
  return whileHeld(target, `restore --resume by ${defaultOperator()}`, () =>
    withRestorer(target, async (container) => {
      const journal = await callAgent<Journal | null>(target, "restore-journal", {}, { container });
      if (journal === null) return undefined;
      const { id, phase } = journal;
      if (options.accept !== undefined) {
        await callAgent(target, "restore-accept", { id, reason: options.accept }, { container });
      }
      if (phase === "swapped" && options.undo !== true) {
        try {
          await settle(target, { container, id, lsn: journal.prepared?.lsn ?? "0/0" }, options);
          await withoutSignal(target, container, "restore-done", id);
          return { id, state: "restored" as const, accepted: false };
        } catch (error) {
          if (journal.openedAt !== undefined) throw new UserError(inUse(journal, error), { cause: error });
          options.onStep?.(
            `the restored cluster is not healthy (${errorLine(error)}): it is taken out again`,
          );
        }
      }
      // A server that was started by hand may have been written to, whichever of the two directories it runs on.
      const keep = journal.openedAt !== undefined || (await isWritable(target));
      if (!isUntouched({ phase })) await stopServer(target);
      const undone = await callAgent<Undone>(target, "restore-undo", { id, keep }, { container });
      // What failed verification was made beside a server that may not start, which is no matter of the restore.
      if (phase !== "failed verification" && isServerWanted(undone))
        await startServer(target, options.timeoutSeconds ?? TIMEOUT_SECONDS);
      return { id, state: "before" as const, accepted: false };
    }),
  );
}

/** Removes what is kept of the state before restores. @returns The restores' ids. */
export async function forgetPrevious(target: Target, id?: string): Promise<readonly string[]> {
  return whileHeld(target, `restore --forget by ${defaultOperator()}`, () =>
    withRestorer(target, (container) =>
      callAgent<readonly string[]>(target, "restore-forget", id === undefined ? {} : { id }, { container }),
    ),
  );
}

/** From here on nothing is interrupted: each step leads to one whole state or the other. */
async function exchange(
  target: Target,
  container: string,
  prepared: PreparedCluster,
  options: RestoreOptions & { readonly id: string },
): Promise<void> {
  const { id } = options;
  options.onStep?.("stopping the server", 0.8);
  try {
    await stopServer(target);
    await withoutSignal(target, container, "restore-swap", id);
    options.onStep?.("starting the restored server", 0.85);
    await settle(target, { container, id, lsn: prepared.lsn }, options);
  } catch (error) {
    const there = await putBack(target, container, id, options, error);
    const state = there ? "the state before is back, checked" : "the data directory is lost as it was before";
    throw new UserError(`the restore failed and ${state}: ${errorLine(error)}`, { cause: error });
  }
  await withoutSignal(target, container, "restore-done", id);
}

/** Brings the server up on the restored cluster and proves it. */
async function settle(
  target: Target,
  { container, id, lsn }: { readonly container: string; readonly id: string; readonly lsn: string },
  { prove, timeoutSeconds = TIMEOUT_SECONDS }: Pick<RestoreOptions, "prove" | "timeoutSeconds">,
): Promise<void> {
  await withoutSignal(target, container, "restore-opening", id);
  await startServer(target, timeoutSeconds);
  await callAgent(target, "restore-opened");
  if (await endRecoverySettings(target)) {
    await stopServer(target);
    await startServer(target, timeoutSeconds);
  }
  const { problems } = await callAgent<{ problems: readonly string[] }>(target, "restore-check", { lsn });
  if (problems.length > 0) throw new UserError(problems.slice(0, 5).join("; "));
  await markProven(target);
  await prove();
}

/** What was written since would be lost with the cluster: so that is not decided here. */
function inUse({ id, openedAt }: Journal, error: unknown): string {
  return (
    `restore ${id} has been in use since ${openedAt} and fails its checks (${errorLine(error)}); nothing was changed. ` +
    'pgstack restore --resume --accept "REASON" takes it as it is, ' +
    "pgstack restore --latest restores everything archived since, " +
    "pgstack restore --resume --undo puts back the state before the restore and keeps this one beside it"
  );
}

/** @returns False where there was no cluster to put back. */
async function putBack(
  target: Target,
  container: string,
  id: string,
  { onStep, timeoutSeconds = TIMEOUT_SECONDS }: RestoreOptions,
  reason: unknown,
): Promise<boolean> {
  onStep?.("putting back what was there", 0.9);
  try {
    await stopServer(target);
    const undone = await callAgent<Undone>(target, "restore-undo", { id }, { container });
    const there = isServerWanted(undone);
    if (there) await startServer(target, timeoutSeconds);
    return there;
  } catch (error) {
    throw new UserError(
      `the restore failed (${errorLine(reason)}), and so did putting back what was there: ${errorLine(error)}. ` +
        "Both are in the data volume: pgstack restore --resume goes on",
      { cause: error },
    );
  }
}

/** What an agent says of a restore that it has undone; one of an earlier version says nothing. */
type Undone = { readonly there: boolean } | null;

/** Where the data directory was lost altogether, a server would begin with an empty one: nobody wants that in its place. */
function isServerWanted(undone: Undone): boolean {
  return undone?.there !== false;
}

/** Puts the kept cluster of a restore in use that failed verification and is accepted now; undefined when there is none. */
async function acceptedCluster(
  target: Target,
  options: Pick<RestoreOptions, "prove" | "onStep" | "timeoutSeconds" | "accept" | "confirm">,
): Promise<ResumeResult | undefined> {
  if (options.accept === undefined) return undefined;
  const journal = await callAgent<Journal | null>(target, "restore-journal");
  if (journal?.phase !== "failed verification" || journal.prepared === undefined) return undefined;
  const { id, prepared } = journal;
  if (!(await options.confirm(prepared))) throw notAccepted(id, prepared.problems);
  // What was written since the cluster was made is in this backup, and in the directory that is kept.
  const safetyBackup = await backUpFirst(target, id, options);
  return whileHeld(target, `restore ${id} by ${defaultOperator()}`, () =>
    withRestorer(target, async (container) => {
      await requireAccepted(target, container, { id, prepared, ...options });
      await exchange(target, container, prepared, { ...options, id });
      return {
        id,
        state: "restored",
        accepted: true,
        ...(safetyBackup === undefined ? {} : { safetyBackup }),
      } as const;
    }),
  );
}

/** Writes into the journal that a cluster is taken which failed verification. @throws UserError when it is not. */
async function requireAccepted(
  target: Target,
  container: string,
  { id, prepared, accept }: { id: string; prepared: PreparedCluster; accept?: string },
): Promise<void> {
  if (accept !== undefined) await callAgent(target, "restore-accept", { id, reason: accept }, { container });
  else if (prepared.problems.length > 0) throw notAccepted(id, prepared.problems);
}

function notAccepted(id: string, problems: readonly string[]): UserError {
  return new UserError(
    `the cluster of restore ${id} failed verification: ${firstLines(problems)}. Nothing in use was changed, and it is kept: ` +
      'pgstack restore --resume --accept "REASON" puts it in use, pgstack restore --resume removes it',
  );
}

/**
 * Everything until now gets a name in the write-ahead log, so that recovery can be proven to have reached it; a moment gets
 * a commit behind it, without which recovery never meets one that is late enough to stop at.
 */
async function recordedTarget(
  target: Target,
  wanted: RecoveryTarget,
  id: string,
  options: RestoreOptions,
): Promise<RecoveryTarget> {
  if (wanted.type === "backup" || wanted.timeline !== undefined || wanted.repositoryTime !== undefined)
    return wanted;
  if (!(await isWritable(target))) return wanted;
  if (!(await isOwnCluster(target))) return wanted;
  if (wanted.type !== "latest") {
    await callAgent(target, "archive-now", {}, call(options));
    return wanted;
  }
  const name = `restore-${id}`;
  await callAgent(target, "restore-point", { name }, call(options));
  return { type: "name", value: name };
}

/** False on a data volume that was emptied. An agent of an earlier version cannot tell, and takes each for the stack's. */
function isOwnCluster(target: Target): Promise<boolean> {
  return callAgent<boolean>(target, "own-cluster").catch(() => true);
}

async function backUpFirst(target: Target, id: string, options: RestoreOptions): Promise<string | undefined> {
  if (!(await isWritable(target))) {
    options.onStep?.("the server does not answer: its directory alone is the way back");
    return undefined;
  }
  if (!(await isOwnCluster(target))) {
    options.onStep?.(
      "the data volume was emptied, and the server has made a new cluster: it is kept, not backed up",
    );
    return undefined;
  }
  options.onStep?.("backing up the present state", 0);
  const request = { kind: "incremental", label: `before restore ${id.slice(0, 15)}`, waitSeconds: 600 };
  const [entry] = await callAgent<BackupEntry[]>(target, "backup", request, call(options));
  return entry?.id;
}

/** A restore that runs is told apart from one that was interrupted by the lock that it holds. */
async function refuseUnfinished(target: Target, options: AgentCall): Promise<void> {
  const journal = await callAgent<Journal | null>(target, "restore-journal");
  if (journal === null) return;
  const holder = await callAgent<Holder | null>(target, "holder");
  if (holder?.purpose.startsWith("restore ") === true) {
    throw new UserError(
      `${holder.purpose} runs since ${holder.since ?? journal.startedAt}: wait until it has ended`,
    );
  }
  if (journal.phase === "failed verification")
    throw notAccepted(journal.id, journal.prepared?.problems ?? []);
  // Once it is in use, the restored cluster is what the next restore begins with.
  if (journal.phase === "swapped" && !(await isWritable(target))) {
    options.onStep?.(
      `restore ${journal.id} was interrupted after it was put in use, and its server does not answer`,
    );
    return;
  }
  throw new UserError(
    `restore ${journal.id} to ${journal.target} was interrupted (${journal.phase}): pgstack restore --resume ends it first`,
  );
}

function withoutSignal(target: Target, container: string, operation: string, id: string): Promise<unknown> {
  return callAgent(target, operation, { id }, { container });
}

function call({ onStep, signal }: AgentCall): AgentCall {
  return { ...(onStep === undefined ? {} : { onStep }), ...(signal === undefined ? {} : { signal }) };
}
