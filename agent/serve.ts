import { setTimeout as delay } from "node:timers/promises";
import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { withExclusive } from "./exclusive.ts";
import { messageOf, Refusal } from "./failure.ts";
import { TimelineKeeper } from "./lineage/keeper.ts";
import { hasUnfinishedRestore, removeInterruptedRestore } from "./logical/places.ts";
import { requireOwnCluster } from "./own-cluster.ts";
import { requireOwnPlaces } from "./own-places.ts";
import { archiveLog } from "./physical/archiver.ts";
import { flushQueue } from "./physical/queue.ts";
import { prepareStanza } from "./physical/stanza.ts";
import { prepareScratch } from "./sandbox/scratch.ts";
import { nextDue } from "./schedule/due.ts";
import { Heartbeat } from "./schedule/heartbeat.ts";
import { writeMetrics } from "./schedule/metrics.ts";
import { ProofFailed } from "./schedule/proof.ts";
import { type RunRecord, readState, recordRun, type Task, writeState } from "./schedule/state.ts";
import { scheduledBackup, scheduledDrill } from "./schedule/tasks.ts";
import { query } from "./sql.ts";
import { lookAgain, notProtected } from "./storage/look.ts";
import { type Presence, receiveLog } from "./stream/receiver.ts";
import { settle } from "./upgrade/settle.ts";
import { readUpgrade } from "./upgrade/state.ts";

const TICK_MILLISECONDS = 1_000;
/** Between two tries to hand over what an object storage did not take, or to end an upgrade that was cut off. */
const AGAIN_MILLISECONDS = 10_000;
/** Between two looks at a bucket that does not protect the backups; at a good one fewer suffice. */
const LOOK_MILLISECONDS = 600_000;
/** A backup by hand may be at work when a schedule comes due. */
const LOCK_SECONDS = 6 * 3_600;

const TASKS: Readonly<
  Record<Task, (configuration: AgentConfiguration, context: Context) => Promise<string>>
> = {
  backup: scheduledBackup,
  drill: scheduledDrill,
};

/**
 * Keeps the schedules until the agent is told to stop. What was missed while it was away is made up for by one run; two
 * never overlap; each result is recorded.
 *
 * @returns The exit code.
 */
export async function serve(configuration: AgentConfiguration): Promise<number> {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.once(name, () => stop.abort(new Error("stopped")));
  const context: Context = { signal: stop.signal, step: () => {} };
  await prepareScratch(configuration);
  say("the agent is at work");
  let stanzaReady = false;
  let said = "";
  let queueAt = 0;
  let upgradeAt = 0;
  let lookAt = 0;
  const timelines = new TimelineKeeper();
  const heartbeat = new Heartbeat();
  const presence: Presence = { receiving: false };
  const receiving = receiveLog(configuration, context, say, presence);
  let archiving: Promise<void> | undefined;
  while (!stop.signal.aborted) {
    heartbeat.look();
    try {
      // A session each second only to ask would be most of what an idle stack costs.
      if (presence.receiving || (await serverAnswers(configuration))) {
        // The archive is open before the first segment is full.
        if (!stanzaReady) {
          await requireOwnPlaces(configuration, context);
          await requireOwnCluster(configuration, context);
          await prepareStanza(configuration, context);
        }
        stanzaReady = true;
        archiving ??= archiveLog(configuration, context, say);
        if (performance.now() >= upgradeAt) {
          upgradeAt = performance.now() + AGAIN_MILLISECONDS;
          await settleUpgrade(configuration);
          await settleRestoreOfDump(configuration);
        }
        await heartbeat.during("timelines", () => timelines.look(configuration, context, say));
        await runDue(configuration, heartbeat, context);
        if (performance.now() >= lookAt) {
          lookAt = performance.now() + LOOK_MILLISECONDS;
          const found = await heartbeat.during("object storage", () => lookAgain(configuration, context));
          if (found !== undefined && found.problems.length > 0) say(notProtected(found));
        }
        if (performance.now() >= queueAt) {
          queueAt = performance.now() + AGAIN_MILLISECONDS;
          await heartbeat.during("hand-over to the object storage", () => flushQueue(configuration, context));
        }
      }
      said = "";
    } catch (error) {
      const message = messageOf(error);
      // Tried each second: once is enough.
      if (!stop.signal.aborted && message !== said) say(message);
      said = message;
    }
    await delay(TICK_MILLISECONDS, undefined, { signal: stop.signal }).catch(() => {});
  }
  await Promise.all([receiving, archiving]);
  heartbeat.stop();
  say("the agent has stopped");
  return 0;
}

async function runDue(
  configuration: AgentConfiguration,
  heartbeat: Heartbeat,
  context: Context,
): Promise<void> {
  for (const task of ["backup", "drill"] as const) {
    const state = await readState(configuration);
    const now = new Date();
    const due = nextDue(configuration.schedule[task], state[task] ?? firstOf(task, now), now);
    if (task === "backup") heartbeat.nextBackup = due;
    if (due > now) continue;
    const record = await heartbeat.during(task, () => runTask(configuration, task, context));
    context.signal.throwIfAborted();
    say(`${task}: ${record.message}`);
    const before = (await readState(configuration))[task] ?? {};
    const remembered =
      record.result === "ok" || record.final === true
        ? { last: record.at }
        : { ...before, failedAt: new Date().toISOString(), failures: (before.failures ?? 0) + 1 };
    await writeState(configuration, { ...(await readState(configuration)), [task]: remembered });
    await recordRun(configuration, record);
    await writeMetrics(configuration, record, context);
  }
}

/** A new stack is backed up at once; its first drill comes by the schedule. */
function firstOf(task: Task, now: Date): { last?: string } {
  return task === "backup" ? {} : { last: now.toISOString() };
}

async function runTask(configuration: AgentConfiguration, task: Task, context: Context): Promise<RunRecord> {
  const started = new Date();
  const ended = (result: RunRecord["result"], message: string): RunRecord => {
    const seconds = (Date.now() - started.getTime()) / 1_000;
    return { task, at: started.toISOString(), seconds, result, message };
  };
  try {
    const options = { waitSeconds: LOCK_SECONDS, signal: context.signal };
    const work = () => TASKS[task](configuration, context);
    return ended("ok", await withExclusive(configuration, `the scheduled ${task}`, work, options));
  } catch (error) {
    return { ...ended("failed", messageOf(error)), ...(error instanceof ProofFailed ? { final: true } : {}) };
  }
}

/** Ends an upgrade that was cut off, with the engine for example: neither database may stay closed. */
async function settleUpgrade(configuration: AgentConfiguration): Promise<void> {
  if ((await readUpgrade(configuration))?.settled !== false) return;
  try {
    await withExclusive(configuration, "an upgrade", () => settle(configuration));
    say("an upgrade that was cut off is settled");
  } catch (error) {
    // A step of it may be at work still.
    if (!(error instanceof Refusal)) say(`an upgrade is not settled: ${messageOf(error)}`);
  }
}

/** Removes the database that an interrupted restore of a dump was filling. */
async function settleRestoreOfDump(configuration: AgentConfiguration): Promise<void> {
  if (!(await hasUnfinishedRestore(configuration))) return;
  try {
    await withExclusive(configuration, "an interrupted restore", () =>
      removeInterruptedRestore(configuration),
    );
    say("what an interrupted restore of a dump left is removed");
  } catch (error) {
    // It may be at work still.
    if (!(error instanceof Refusal)) throw error;
  }
}

async function serverAnswers(configuration: AgentConfiguration): Promise<boolean> {
  const sql = "SELECT NOT pg_is_in_recovery() AS ready";
  return query<{ ready: boolean }>(configuration, sql).then(
    ([row]) => row?.ready === true,
    () => false,
  );
}

function say(text: string): void {
  console.log(`${new Date().toISOString()} ${text}`);
}
