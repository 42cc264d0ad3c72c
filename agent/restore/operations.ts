import { asOf } from "../as-of.ts";
import { lockPath, withExclusive } from "../exclusive.ts";
import { Refusal } from "../failure.ts";
import { withLimitedLogin } from "../limited-login.ts";
import { forkedFrom, lastTimeline } from "../lineage/chain.ts";
import { archivedChain, archiveHistory, lineageOf, reconcileLineage } from "../lineage/reconcile.ts";
import { type Lineage, withChain, writeLineage } from "../lineage/record.ts";
import { archiveRoot } from "../lineage/repository.ts";
import type { Operation } from "../operation.ts";
import { isOwnCluster } from "../own-cluster.ts";
import { withoutArchiver } from "../physical/archiver.ts";
import { lsnNumber } from "../physical/segments.ts";
import { query } from "../sql.ts";
import { discardReceived } from "../stream/slot.ts";
import { checkDatabase } from "../verification/checks.ts";
import { accepted, type Outcome, together } from "../verification/outcome.ts";
import { planRecovery } from "./plan.ts";
import { prepareCluster } from "./prepare.ts";
import { seedCluster } from "./seed.ts";
import {
  discardRestored,
  folders,
  isClusterThere,
  isUntouched,
  type Journal,
  keepRestored,
  keptPrevious,
  readJournal,
  removeJournal,
  removePrevious,
  swapBack,
  swapIn,
  writeJournal,
} from "./swap.ts";
import { describeTarget, parseTarget } from "./target.ts";

/** The steps of a restore in place. The caller holds the lock for all of them by `hold`. */
export const RESTORE_OPERATIONS: readonly (readonly [string, Operation])[] = [
  [
    "hold",
    (configuration, { purpose, waitSeconds }, context) =>
      withExclusive(
        configuration,
        String(purpose),
        () =>
          new Promise((_, reject) => {
            context.signal.addEventListener("abort", () => reject(context.signal.reason), { once: true });
            context.step("held");
          }),
        { waitSeconds: typeof waitSeconds === "number" ? waitSeconds : 30, signal: context.signal },
      ),
  ],
  [
    "restore-plan",
    async (configuration, { target: given }, context) => {
      const target = parseTarget(given);
      const reader = asOf(configuration, target.repositoryTime);
      const { bases, chain, possible } = await planRecovery(reader, target, context);
      return { base: bases[0]?.id ?? "", timeline: lastTimeline(chain), possible };
    },
  ],
  ["own-cluster", (configuration, _, context) => isOwnCluster(configuration, context)],
  ["restore-journal", async (configuration) => (await readJournal(configuration)) ?? null],
  [
    "restore-prepare",
    async (configuration, { id, target: given }, context) => {
      const name = identifier(id);
      const target = parseTarget(given);
      const journal = {
        format: 1,
        id: name,
        startedAt: new Date().toISOString(),
        target: describeTarget(target),
      } as const;
      await writeJournal(configuration, { ...journal, phase: "preparing" });
      try {
        const { restored } = folders(configuration, name);
        const prepared = await prepareCluster(
          configuration,
          { directory: restored, target, inPlace: true },
          context,
        );
        const phase = prepared.problems.length === 0 ? "prepared" : "failed verification";
        await writeJournal(configuration, { ...journal, phase, prepared });
        return prepared;
      } catch (error) {
        await discardRestored(configuration, name);
        await removeJournal(configuration);
        throw error;
      }
    },
  ],
  [
    "restore-accept",
    async (configuration, { id, reason }) => {
      const journal = await requireJournal(configuration, id);
      const phase = journal.phase === "failed verification" ? "prepared" : journal.phase;
      const accepted = { reason: String(reason), at: new Date().toISOString() };
      await writeJournal(configuration, { ...journal, phase, accepted });
      return null;
    },
  ],
  [
    "restore-seed",
    (configuration, { target, accept }, context) =>
      seedCluster(configuration, parseTarget(target), accept === true, context),
  ],
  [
    "restore-swap",
    async (configuration, { id }, context) => {
      const journal = await requireJournal(configuration, id);
      const lineage = await lineageOf(configuration, context);
      const swapping = { ...journal, lineage };
      await writeJournal(configuration, { ...swapping, phase: "swapping" });
      await withoutArchiver(configuration, context, async () => {
        await withoutServer(configuration, context, () => swapIn(configuration, journal.id));
        // Before anything is archived: that is of the timeline that the stack is on.
        const next = await lineageAfter(configuration, swapping, context);
        await discardReceived(configuration, { ...next, timeline: lastTimeline(next.chain) }, 0);
        await writeLineage(configuration, next, context);
        await writeJournal(configuration, { ...swapping, phase: "swapped" });
      });
      return null;
    },
  ],
  [
    "restore-undo",
    async (configuration, { id, keep }, context) => {
      const journal = await requireJournal(configuration, id);
      // What is only prepared has changed nothing: then a server may go on.
      if (isUntouched(journal)) {
        await discardRestored(configuration, journal.id);
        await removeJournal(configuration);
        return { there: isClusterThere(configuration) };
      }
      await writeJournal(configuration, { ...journal, phase: "undoing" });
      await withoutArchiver(configuration, context, async () => {
        await withoutServer(configuration, context, () => swapBack(configuration, journal.id));
        if (journal.lineage !== undefined) await writeLineage(configuration, journal.lineage, context);
      });
      if (keep === true) await keepRestored(configuration, journal.id);
      await discardRestored(configuration, journal.id);
      await removeJournal(configuration);
      return { there: isClusterThere(configuration) };
    },
  ],
  [
    "restore-check",
    async (configuration, { lsn }, context): Promise<Outcome> => {
      const { stack, database, verification } = configuration;
      const reached = await notReached(configuration, String(lsn), context);
      const found = await withLimitedLogin(
        configuration,
        { stack, databases: [database] },
        context,
        (login) => checkDatabase(configuration, database, verification, { login, context }),
      );
      const taken = (await readJournal(configuration))?.accepted !== undefined;
      return together({ problems: reached, warnings: [] }, taken ? accepted(found) : found);
    },
  ],
  [
    "restore-opening",
    async (configuration, { id }) => {
      const journal = await requireJournal(configuration, id);
      const openedAt = journal.openedAt ?? new Date().toISOString();
      await writeJournal(configuration, { ...journal, openedAt });
      return null;
    },
  ],
  [
    "restore-opened",
    async (configuration, _, context) => {
      const lineage = await reconcileLineage(configuration, context);
      const timeline = lastTimeline(lineage.chain);
      await archiveHistory(configuration, timeline, context);
      return { timeline };
    },
  ],
  [
    "restore-done",
    async (configuration, { id }) => {
      await requireJournal(configuration, id);
      await removeJournal(configuration);
      return null;
    },
  ],
  [
    "restore-forget",
    async (configuration, { id }) => {
      const kept = await keptPrevious(configuration);
      const chosen = id === undefined ? kept : kept.filter((one) => one === id);
      if (id !== undefined && chosen.length === 0) {
        throw new Refusal(`nothing is kept of restore ${String(id)}; kept are: ${kept.join(", ") || "none"}`);
      }
      for (const one of chosen) await removePrevious(configuration, one);
      return chosen;
    },
  ],
];

/** PostgreSQL's own choice of a number, for a cluster that ends its recovery when it is opened. */
function nextTimeline(followed: number, taken: ReadonlySet<number>): number {
  let timeline = followed + 1;
  while (taken.has(timeline)) timeline += 1;
  return timeline;
}

/** The timelines of the stack once the server has opened on the restored cluster. */
async function lineageAfter(
  configuration: Parameters<Operation>[0],
  { id, prepared, lineage }: Journal & { readonly lineage: Lineage },
  context: Parameters<Operation>[2],
): Promise<Lineage> {
  if (prepared === undefined) throw new Refusal(`restore ${id} has no cluster to put in use`);
  const { repositories } = configuration.physical;
  const root = await archiveRoot(configuration, repositories[0] ?? "local", context);
  // What was read as of a time may be in the repository no more.
  const parent =
    prepared.chain ??
    (await archivedChain(configuration, repositories[0] ?? "local", root, prepared.timeline, context));
  const timeline = prepared.ownTimeline ?? nextTimeline(prepared.timeline, root.histories);
  if (prepared.ownTimeline !== undefined && root.histories.has(timeline)) {
    throw new Refusal(
      `timeline ${timeline}, which restore ${id} has begun, was begun by another one meanwhile: restore again`,
    );
  }
  const chain = forkedFrom(parent, prepared.lsn, timeline);
  return withChain(lineage, { chain, by: `restore ${id}`, owed: true });
}

/** Works on the volume's folders while no server runs: it holds the same lock on the volume for as long as it does. */
async function withoutServer(
  configuration: Parameters<Operation>[0],
  { signal }: Parameters<Operation>[2],
  work: () => Promise<void>,
): Promise<void> {
  const { root } = folders(configuration, "");
  const release = await lockPath(root, { waitSeconds: 10, signal });
  if (release === undefined) throw new Refusal("the server runs: its data directory is not touched");
  try {
    await work();
  } finally {
    await release();
  }
}

async function requireJournal(configuration: Parameters<Operation>[0], id: unknown) {
  const journal = await readJournal(configuration);
  if (journal?.id !== identifier(id)) throw new Refusal(`there is no restore ${String(id)} under way`);
  return journal;
}

/** A server that ended its recovery too early has lost what came after, and does not know. */
async function notReached(
  configuration: Parameters<Operation>[0],
  lsn: string,
  { signal }: Parameters<Operation>[2],
): Promise<string[]> {
  const sql = "SELECT pg_current_wal_insert_lsn()::text AS lsn";
  const [row] = await query<{ lsn: string }>(configuration, sql, { signal });
  const there = row?.lsn ?? "0/0";
  return lsnNumber(there) >= lsnNumber(lsn)
    ? []
    : [`recovery ended at ${there}, before ${lsn} that was reached in the trial`];
}

function identifier(id: unknown): string {
  if (typeof id === "string" && /^[\w-]{1,40}$/.test(id)) return id;
  throw new Refusal("a restore needs an id");
}
