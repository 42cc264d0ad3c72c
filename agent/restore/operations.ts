import { withExclusive } from "../exclusive.ts";
import { Refusal } from "../failure.ts";
import type { Operation } from "../operations.ts";
import { prepareCluster } from "./prepare.ts";
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
import { describeTarget, parseTarget } from "./target.ts";

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
    "restore-swap",
    async (configuration, { id }) => {
      const journal = await requireJournal(configuration, id);
      await writeJournal(configuration, { ...journal, phase: "swapping" });
      await swapIn(configuration, journal.id);
      await writeJournal(configuration, { ...journal, phase: "swapped" });
      return null;
    },
  ],
  [
    "restore-undo",
    async (configuration, { id }) => {
      const journal = await requireJournal(configuration, id);
      await writeJournal(configuration, { ...journal, phase: "undoing" });
      await swapBack(configuration, journal.id);
      await discardRestored(configuration, journal.id);
      await removeJournal(configuration);
      return null;
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

async function requireJournal(configuration: Parameters<Operation>[0], id: unknown) {
  const journal = await readJournal(configuration);
  if (journal?.id !== identifier(id)) throw new Refusal(`there is no restore ${String(id)} under way`);
  return journal;
}

function identifier(id: unknown): string {
  if (typeof id === "string" && /^[\w-]{1,40}$/.test(id)) return id;
  throw new Refusal("a restore needs an id");
}
