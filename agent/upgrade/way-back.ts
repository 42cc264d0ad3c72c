import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { quoteIdentifier } from "../sql.ts";
import { firstLines } from "../verification/outcome.ts";
import { differences, tableContents } from "../verification/tables.ts";
import { admitting, close, grantsOf, isOpen } from "./doors.ts";
import { type Pair, pairOf } from "./link.ts";
import { copySequences, refreshViews, untilLevel, untilNear } from "./replication.ts";
import { settle, undo } from "./settle.ts";
import { type UpgradeState, writeUpgrade } from "./state.ts";
import { back } from "./streams.ts";

/**
 * Puts the old database in use again, with everything that was written to the new one since. Whatever fails leaves the new
 * one in use. An upgrade that has not come that far is given up.
 */
export async function goBack(configuration: AgentConfiguration, context: Context): Promise<UpgradeState> {
  const state = await settle(configuration);
  if (state === undefined || state.phase === "back") throw new Refusal("there is nothing to go back from");
  if (state.phase === "confirmed") throw new Refusal("the upgrade is confirmed: there is no way back");
  if (state.phase !== "switched") return (await undo(configuration)) ?? state;
  const pair = pairOf(configuration, state.old);
  const stream = back(pair);
  await untilNear(stream, context);
  const grants = {
    old: await grantsOf(pair.old, pair.database, context),
    new: await grantsOf(pair.new, pair.database, context),
  };
  await writeUpgrade(configuration, { ...state, phase: "going back", settled: false, grants });
  try {
    context.step("closing the new database", 0.2);
    await close(pair.new, pair.database, context);
    context.step("carrying over the last changes", 0.3);
    await untilLevel(stream, context);
    await copySequences(stream, context);
    await refreshViews(stream, context);
    context.step("comparing", 0.6);
    await compareBack(configuration, pair, grants, context);
    context.signal.throwIfAborted();
  } catch (error) {
    await settle(configuration);
    throw error;
  }
  const ended: UpgradeState = { ...state, phase: "back", settled: false, grants };
  await writeUpgrade(configuration, ended);
  return (await settle(configuration)) ?? ended;
}

/** @throws Refusal where the old database lacks what the new one has: a table that was made meanwhile, for example. */
async function compareBack(
  { stack, verification }: AgentConfiguration,
  { database, ...servers }: Pair,
  grants: NonNullable<UpgradeState["grants"]>,
  context: Context,
): Promise<void> {
  const contents = (side: "old" | "new") =>
    admitting(servers[side], { stack, database, grants: grants[side] }, context, (login) =>
      tableContents(servers[side], database, verification, { login, context }),
    );
  const wanted = await contents("new");
  const found = await contents("old");
  const { problems } = differences(wanted, found);
  if (problems.length > 0) {
    throw new Refusal(`the old database is not as the new one: ${firstLines(problems)}`);
  }
}

/** Gives up the way back: the old database stays closed, and nothing is carried to it any more. */
export async function confirm(configuration: AgentConfiguration): Promise<UpgradeState> {
  const state = await settle(configuration);
  if (state?.phase !== "switched" && state?.phase !== "confirmed") {
    throw new Refusal("no upgrade is in use that could be confirmed");
  }
  const { database, ...servers } = pairOf(configuration, state.old);
  if (state.phase === "switched" && (await isOpen(servers.old, database))) {
    throw new Refusal(
      `database ${database} of stack ${state.old.stack} was opened by hand, and what is written there is not in the new one: close it first (ALTER DATABASE ${quoteIdentifier(database)} CONNECTION LIMIT 0, as its superuser), with nothing in use that it lacks`,
    );
  }
  const ended: UpgradeState = { ...state, phase: "confirmed", settled: false };
  await writeUpgrade(configuration, ended);
  return (await settle(configuration)) ?? ended;
}
