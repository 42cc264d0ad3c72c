import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { type BackupEntry, isGood } from "../entry.ts";
import { Refusal } from "../failure.ts";
import { type Chain, lastTimeline, leadsHere } from "../lineage/chain.ts";
import { archivedChain, lineageOf } from "../lineage/reconcile.ts";
import { type ArchiveRoot, archiveRoot } from "../lineage/repository.ts";
import { readBackups } from "../metadata.ts";
import { lsnNumber } from "../physical/segments.ts";
import { describeOlder, pointsInTime } from "../point-in-time.ts";
import { query } from "../sql.ts";
import { describeTarget, type RecoveryTarget } from "./target.ts";
import { recoveryWindow, restorePoints } from "./window.ts";

/** How a target is to be reached. */
export interface RecoveryPlan {
  /** The bases to recover from, the likeliest first; another one follows where the one before is damaged. */
  readonly bases: readonly BackupEntry[];
  /** The timelines that recovery follows. */
  readonly chain: Chain;
  readonly target: RecoveryTarget;
  /** Recovery ends right before the target, not after it. */
  readonly exclusive: boolean;
  /** Where the target may lie before the first base: then the next one is tried. */
  readonly searching: boolean;
  /** What can be reached, in words. */
  readonly possible: string;
}

/** What decides about a plan beside its target. */
export interface PlanOptions {
  /** A backup that failed verification is wanted all the same: to be verified again. */
  readonly failedToo?: boolean;
}

/**
 * Finds the way to a target: along the timelines that the stack is recorded to have come, or those of the timeline that is
 * asked for, from the newest whole backup before it. Nothing is written.
 *
 * @throws Refusal when the target cannot be reached, with the window that is possible.
 */
export async function planRecovery(
  configuration: AgentConfiguration,
  target: RecoveryTarget,
  context: Context,
  { failedToo = false }: PlanOptions = {},
): Promise<RecoveryPlan> {
  const { entries, problems, unreadable } = await readBackups(configuration, context);
  const physical = entries.filter(({ kind }) => kind !== "logical");
  if (physical.length === 0) {
    throw new Refusal(
      problems.length > 0
        ? problems.join("; ")
        : "there is no physical backup to restore from: pgstack backup --kind full",
    );
  }
  // They are remembered, and cannot be had: with another key, or while a storage is away.
  const isRemembered = ({ repositories }: BackupEntry) =>
    repositories.length > 0 && repositories.every((name) => unreadable.includes(name));
  if (unreadable.length > 0 && physical.every(isRemembered)) throw new Refusal(problems.join("; "));
  if (target.type === "backup") return planOf(physical, target, failedToo);
  const { chain, stop, systemIdentifier } = await followed(configuration, target, context);
  const leading = physical.filter(
    (entry) => [systemIdentifier, "unknown"].includes(entry.systemIdentifier) && leadsTo(chain, entry),
  );
  const onChain = leading.filter(isGood).map(({ abandoned: _, ...entry }) => entry);
  // What the window has let go of follows the others: recovery from them would end at a gap.
  const good = onChain.filter(({ ownEndOnly }) => ownEndOnly !== true);
  const window = await recoveryWindow(configuration, onChain, context);
  if (window === undefined) throw new Refusal(withoutBase(leading, chain));
  tellSkipped(leading, good, context);
  const possible = `possible is ${window.from} to ${window.to}${
    target.timeline === undefined ? "" : ` on timeline ${lastTimeline(chain)}`
  }`;
  const exclusive = target.type === "latest" && stop !== undefined;
  const wanted: RecoveryTarget = exclusive ? { type: "lsn", value: stop } : target;
  const bases = await basesFor(configuration, target, good.toReversed(), context);
  if (bases.length === 0) {
    const older = describeOlder(pointsInTime(onChain)?.older ?? []);
    const all = older === "" ? possible : `${possible}; ${older}`;
    throw new Refusal(`${describeTarget(target)} cannot be reached: ${all}`);
  }
  const searching = target.type === "name" || target.type === "xid";
  return { bases, chain, target: wanted, exclusive, searching, possible };
}

function planOf(
  physical: readonly BackupEntry[],
  target: RecoveryTarget & { readonly type: "backup" },
  failedToo: boolean,
): RecoveryPlan {
  const bases = physical.filter((entry) => entry.id === target.id && (failedToo || isGood(entry)));
  const [base] = bases;
  if (base === undefined) {
    const known = physical.find(({ id }) => id === target.id);
    const why =
      known === undefined
        ? `there is no physical backup ${target.id}`
        : `backup ${target.id} failed verification (${known.verification.message ?? "not good"})`;
    const newest = physical.findLast((entry) => isGood(entry) && entry.abandoned !== true)?.id ?? "none";
    throw new Refusal(`${why}; the newest good one is ${newest}`);
  }
  const chain = [{ timeline: base.timeline ?? 1 }];
  return { bases, chain, target, exclusive: false, searching: false, possible: "" };
}

/** The backups from which a target can be reached, the likeliest first. */
async function basesFor(
  configuration: AgentConfiguration,
  target: Exclude<RecoveryTarget, { readonly type: "backup" }>,
  newestFirst: readonly BackupEntry[],
  context: Pick<Context, "signal">,
): Promise<readonly BackupEntry[]> {
  switch (target.type) {
    case "latest":
      return newestFirst;
    case "time": {
      const time = Date.parse(target.value);
      if (time > Date.now()) {
        throw new Refusal(`${target.value} is in the future: now is ${new Date().toISOString()}`);
      }
      return newestFirst.filter(({ finishedAt }) => Date.parse(finishedAt) <= time);
    }
    case "lsn":
      return endedBefore(newestFirst, target.value);
    case "name": {
      const point = (await restorePoints(configuration)).findLast(({ name }) => name === target.value);
      // A point that was set by SQL is in no list.
      return point === undefined ? ends(newestFirst) : endedBefore(newestFirst, point.lsn);
    }
    case "xid": {
      await refuseUnassigned(configuration, target.value, context);
      const before = newestFirst.filter(
        ({ nextTransaction }) =>
          nextTransaction !== undefined && BigInt(nextTransaction) <= BigInt(target.value),
      );
      // It may have ended while the newest of them was taken; it began after the end of the one before.
      return before.length > 0 ? before.slice(0, 2) : ends(newestFirst);
    }
  }
}

/** The oldest base leads past all that any base leads to, the newest in the shortest time. */
function ends(newestFirst: readonly BackupEntry[]): BackupEntry[] {
  return [...new Set([...newestFirst.slice(0, 1), ...newestFirst.slice(-1)])];
}

/** A transaction id that the server has not given out yet can be in no log. */
async function refuseUnassigned(
  configuration: AgentConfiguration,
  id: string,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next";
  const [row] = await query<{ next: string }>(configuration, sql, { signal }).catch(() => []);
  signal.throwIfAborted();
  if (row === undefined || BigInt(id) < BigInt(row.next)) return;
  throw new Refusal(`transaction ${id} cannot be reached: the server's next transaction is ${row.next}`);
}

/** The timelines to follow; `stop`: the fork at which recovery must end, where nothing of the last timeline was archived. */
async function followed(
  configuration: AgentConfiguration,
  target: Exclude<RecoveryTarget, { readonly type: "backup" }>,
  context: Context,
): Promise<{ readonly chain: Chain; readonly stop?: string; readonly systemIdentifier: string }> {
  const [repository = "local"] = configuration.physical.repositories;
  const { chain, systemIdentifier } = await lineageOf(configuration, context);
  if (target.timeline !== undefined) {
    const root = await archiveRoot(configuration, repository, context);
    const wanted = await chainOf(configuration, repository, root, target.timeline, context);
    return { chain: wanted, systemIdentifier };
  }
  if (lastTimeline(chain) === 1) return { chain, systemIdentifier };
  const { histories } = await archiveRoot(configuration, repository, context);
  const parent = chain.at(-2);
  if (histories.has(lastTimeline(chain)) || parent?.until === undefined) return { chain, systemIdentifier };
  context.step(
    `nothing of timeline ${lastTimeline(chain)} was archived: it ends where it began, at ${parent.until}`,
  );
  const ancestors = [...chain.slice(0, -2), { timeline: parent.timeline }];
  return { chain: ancestors, stop: parent.until, systemIdentifier };
}

async function chainOf(
  configuration: AgentConfiguration,
  repository: string,
  root: ArchiveRoot,
  timeline: number,
  context: Pick<Context, "signal">,
): Promise<Chain> {
  if (timeline !== 1 && !root.histories.has(timeline)) {
    const known = [1, ...root.histories].toSorted((left, right) => left - right);
    throw new Refusal(`the archive has no timeline ${timeline}; it has ${known.join(", ")}`);
  }
  return archivedChain(configuration, repository, root, timeline, context);
}

function leadsTo(chain: Chain, { timeline, stopLsn }: BackupEntry): boolean {
  return timeline !== undefined && stopLsn !== undefined && leadsHere(chain, timeline, stopLsn);
}

function endedBefore(newestFirst: readonly BackupEntry[], lsn: string): BackupEntry[] {
  return newestFirst.filter(({ stopLsn }) => stopLsn !== undefined && lsnNumber(stopLsn) <= lsnNumber(lsn));
}

function withoutBase(leading: readonly BackupEntry[], chain: Chain): string {
  const older = describeOlder(leading.filter((entry) => entry.ownEndOnly === true && isGood(entry)));
  if (older !== "") return `no log follows a good backup any more: pgstack backup --kind full; ${older}`;
  const failed = leading.at(-1);
  return failed === undefined
    ? `no physical backup leads to timeline ${lastTimeline(chain)}: pgstack backup --kind full`
    : `no physical backup passed verification; the newest, ${failed.id}: ${failed.verification.message ?? "not good"}`;
}

/** Recovery does not silently begin earlier than one would think. */
function tellSkipped(leading: readonly BackupEntry[], good: readonly BackupEntry[], context: Context): void {
  const newest = good.at(-1);
  for (const { id, finishedAt, verification } of leading) {
    if (verification.result === "failed" && newest !== undefined && finishedAt > newest.finishedAt) {
      context.step(
        `backup ${id} failed verification (${verification.message ?? "not good"}): it is not used`,
      );
    }
  }
}
