import type { AgentConfiguration } from "../configuration.ts";
import { open } from "./doors.ts";
import { pairOf } from "./link.ts";
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
  const settled = { ...state, settled: true };
  switch (state.phase) {
    case "switching":
      await writeUpgrade(configuration, { ...state, phase: "back" });
      return settle(configuration);
    case "going back":
    case "switched":
      await open(pair.new, database, limit);
      settled.phase = "switched";
      break;
    case "back":
      // First of all it is in use again; the new one is closed.
      await open(pair.old, database, limit);
      await endStream(back(pair));
      await endStream(forth(pair));
      await logKeysAgain(pair.old, database, wholeRows.old);
      break;
    case "confirmed":
      await endStream(back(pair));
      await logKeysAgain(pair.new, database, wholeRows.new);
      break;
    case "following":
      break;
  }
  await writeUpgrade(configuration, settled);
  return settled;
}

/** Gives up an upgrade that has not put the new database in use: the old one is open, as it was before. */
export async function undo(configuration: AgentConfiguration): Promise<UpgradeState | undefined> {
  const state = await readUpgrade(configuration);
  if (state?.phase === "following" || state?.phase === "switching") {
    await writeUpgrade(configuration, { ...state, phase: "back", settled: false });
  }
  return settle(configuration);
}
