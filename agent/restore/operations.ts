import { lockPath, withExclusive } from "../exclusive.ts";
import { Refusal } from "../failure.ts";
import type { Operation } from "../operation.ts";
import { query } from "../sql.ts";
import { checkDatabase } from "../verification/checks.ts";
import { prepareCluster } from "./prepare.ts";
import { seedCluster } from "./seed.ts";
import {
  discardRestored,
  folders,
  keptPrevious,
  readJournal,
  removeJournal,
  removePrevious,
  swapBack,
  swapIn,
  writeJournal,
} from "./swap.ts";
import { describeTarget, lsnNumber, parseTarget } from "./target.ts";

/** The steps of a restore in place. The caller holds the lock for all of them by `hold`. */
export const RESTORE_OPERATIONS: readonly (readonly [string, Operation])[] = [
  [
    "hold",
    (configuration, { purpose }, context) =>
      withExclusive(
        configuration,
        String(purpose),
        () =>
          new Promise((_, reject) => {
            context.signal.addEventListener("abort", () => reject(context.signal.reason), { once: true });
            context.step("held");
          }),
        { waitSeconds: 30, signal: context.signal },
      ),
  ],
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
          { directory: restored, target, end: "pause" },
          context,
        );
        await writeJournal(configuration, { ...journal, phase: "prepared", prepared });
        return prepared;
      } catch (error) {
        await discardRestored(configuration, name);
        await removeJournal(configuration);
        throw error;
      }
    },
  ],
  [
    "restore-seed",
    (configuration, { target }, context) => seedCluster(configuration, parseTarget(target), context),
  ],
  [
    "restore-swap",
    async (configuration, { id }, context) => {
      const journal = await requireJournal(configuration, id);
      await writeJournal(configuration, { ...journal, phase: "swapping" });
      await withoutServer(configuration, context, () => swapIn(configuration, journal.id));
      await writeJournal(configuration, { ...journal, phase: "swapped" });
      return null;
    },
  ],
  [
    "restore-undo",
    async (configuration, { id }, context) => {
      const journal = await requireJournal(configuration, id);
      // What is only prepared has changed nothing: then a server may go on.
      if (journal.phase === "preparing" || journal.phase === "prepared") {
        await discardRestored(configuration, journal.id);
        await removeJournal(configuration);
        return null;
      }
      await writeJournal(configuration, { ...journal, phase: "undoing" });
      await withoutServer(configuration, context, () => swapBack(configuration, journal.id));
      await discardRestored(configuration, journal.id);
      await removeJournal(configuration);
      return null;
    },
  ],
  [
    "restore-check",
    async (configuration, { lsn }, context) => ({
      problems: [
        ...(await notReached(configuration, String(lsn), context)),
        ...(await checkDatabase(configuration, configuration.database, configuration.verification, context)),
      ],
    }),
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
