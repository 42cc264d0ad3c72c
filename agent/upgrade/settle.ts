import type { AgentConfiguration } from "../configuration.ts";
import { Refusal } from "../failure.ts";
import { quoteIdentifier } from "../sql.ts";
import { isOpen, open } from "./doors.ts";
import { type Pair, pairOf } from "./link.ts";
import { endStream, logKeysAgain } from "./replication.ts";
import { readUpgrade, type UpgradeState, writeUpgrade } from "./state.ts";
import { back, forth } from "./streams.ts";

/**
 * Brings both databases to what the last step of an upgrade has decided, also after it was cut off at any place: until the
 * new database was found to be as the old one, the old one is in use; from then on the new one; and again the old one when
 * the way back was found to have brought everything.
 *
 * @returns The upgrade as it is now; undefined when there is none.
 */
export async function settle(configuration: AgentConfiguration): Promise<UpgradeState | undefined> {
  const state = await readUpgrade(configuration);
  if (state === undefined || state.settled) return state;
  const pair = pairOf(configuration, state.old);
  const { database } = pair;
  const limit = state.connectionLimit;
  const wholeRows = { old: [], new: [], ...state.wholeRows };
  const { grants, ...rest } = state;
  const { marked = false } = state;
  const settled = { ...rest, settled: true };
  switch (state.phase) {
    case "switching":
      await writeUpgrade(configuration, { ...state, phase: "back" });
      return settle(configuration);
    case "going back":
    case "switched":
      if ((await inUse(state.phase, pair)) === "old") {
        await writeUpgrade(configuration, { ...state, phase: "back" });
        return settle(configuration);
      }
      await open(pair.new, database, limit, grants?.new);
      settled.phase = "switched";
      break;
    case "back":
      // First of all it is in use again; the new one is closed.
      await open(pair.old, database, limit, grants?.old);
      await endStream(back(pair), { marked });
      await endStream(forth(pair), { marked });
      await logKeysAgain(pair.old, database, wholeRows.old);
      break;
    case "confirmed":
      await endStream(back(pair), { marked });
      await logKeysAgain(pair.new, database, wholeRows.new);
      break;
    case "following":
      break;
  }
  await writeUpgrade(configuration, settled);
  return settled;
}

/** @throws Refusal where both databases may have been written to. */
async function inUse(
  phase: "switched" | "going back",
  { database, ...servers }: Pair,
): Promise<"old" | "new"> {
  const found = inUseAfter(phase, {
    // A server that does not run is not in use.
    old: await isOpen(servers.old, database).catch(() => false),
    new: await isOpen(servers.new, database),
  });
  if (found !== "both") return found;
  throw new Refusal(
    `the upgrade was interrupted, and database ${database} of the old stack was opened by hand since: what is written there is not in the new one, and the other way round. Have the applications use one of them, and close the old one to go on with the new one: ALTER DATABASE ${quoteIdentifier(database)} CONNECTION LIMIT 0, as the superuser on the old server`,
  );
}

/**
 * Which database is in use after an upgrade was interrupted when the new one had taken over. It had closed the old one: where
 * that is open, somebody has opened it by hand and has gone on with it.
 */
export function inUseAfter(
  phase: "switched" | "going back",
  isOpened: { readonly old: boolean; readonly new: boolean },
): "old" | "new" | "both" {
  if (!isOpened.old) return "new";
  return phase === "switched" && !isOpened.new ? "old" : "both";
}

/** Gives up an upgrade that has not put the new database in use: the old one is open, as it was before. */
export async function undo(configuration: AgentConfiguration): Promise<UpgradeState | undefined> {
  const state = await readUpgrade(configuration);
  if (state?.phase === "following" || state?.phase === "switching") {
    await writeUpgrade(configuration, { ...state, phase: "back", settled: false });
  }
  return settle(configuration);
}
