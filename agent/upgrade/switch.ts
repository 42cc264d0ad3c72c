import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { checkDatabase } from "../verification/checks.ts";
import { databaseFindings } from "../verification/findings.ts";
import { firstLines, together } from "../verification/outcome.ts";
import { differences, tableContents } from "../verification/tables.ts";
import { analyze, copyPart, emptyDatabase } from "./database.ts";
import { admitting, close, grantsOf } from "./doors.ts";
import { inspect } from "./inspect.ts";
import { type OldStack, type Pair, pairOf } from "./link.ts";
import {
  beginStream,
  copySequences,
  endStream,
  logWholeRows,
  refreshViews,
  unloggedTables,
  untilLevel,
  untilNear,
} from "./replication.ts";
import { copyRoleSettings, copyRoles } from "./roles.ts";
import { settle, undo } from "./settle.ts";
import { type Method, type UpgradeState, writeUpgrade } from "./state.ts";
import { back, forth } from "./streams.ts";

/**
 * Has the new database ready to take over, while the old one stays in use: with logical replication it follows the old
 * one, with a dump only the roles are there. What an earlier try left is undone first.
 */
export async function follow(
  configuration: AgentConfiguration,
  { old, method }: { readonly old: OldStack; readonly method: Method },
  context: Context,
): Promise<UpgradeState> {
  const found = await settle(configuration);
  if (found?.phase === "confirmed") {
    throw new Refusal(`the upgrade of ${found.old.stack} is done and confirmed (${found.switchedAt})`);
  }
  if (found?.phase === "switched") return found;
  const pair = pairOf(configuration, old);
  if (found?.phase === "following") {
    if (found.ready === true && found.method === method && method === "logical") {
      await untilNear(forth(pair), context);
      return found;
    }
    await undo(configuration);
  }
  const { obstacles, connectionLimit } = await inspect(pair, method, context);
  if (obstacles.length > 0) throw new Refusal(obstacles.join("; "));
  let state: UpgradeState = {
    ...{ format: 1, phase: "following", settled: true, method, old, connectionLimit },
    ...{ startedAt: new Date().toISOString(), marked: true },
  };
  await writeUpgrade(configuration, state);
  try {
    context.step("bringing roles");
    await copyRoles(pair, context);
    if (method === "dump") {
      state = { ...state, ready: true };
      await writeUpgrade(configuration, state);
      return state;
    }
    context.step("bringing the schema");
    await emptyDatabase(pair, context);
    await copyPart(configuration, pair, "schema", context);
    const wholeRows = await logWholeRows(pair.old, pair.database, context);
    state = { ...state, wholeRows: { old: wholeRows, new: [] } };
    await writeUpgrade(configuration, state);
    await beginStream(forth(pair), true, context);
    await untilNear(forth(pair), context);
    context.step("analyzing");
    await analyze(pair, context);
    state = { ...state, ready: true };
    await writeUpgrade(configuration, state);
    return state;
  } catch (error) {
    await undo(configuration);
    throw error;
  }
}

/**
 * Puts the new database in the place of the old one: the old one is closed, what lacks is brought over, both are compared,
 * a way back is laid, and the new one is opened. Whatever fails before that leaves the old one open, as it was.
 */
export async function switchOver(configuration: AgentConfiguration, context: Context): Promise<UpgradeState> {
  const found = await settle(configuration);
  if (found?.phase === "switched") return found;
  if (found?.phase !== "following" || found.ready !== true) {
    throw new Refusal("nothing is ready to be put in use");
  }
  const pair = pairOf(configuration, found.old);
  const grants = {
    old: await grantsOf(pair.old, pair.database, context),
    new: await grantsOf(pair.new, pair.database, context),
  };
  let state: UpgradeState = { ...found, phase: "switching", settled: false, grants };
  await writeUpgrade(configuration, state);
  const started = performance.now();
  try {
    if (state.method === "logical") await untilNear(forth(pair), context);
    context.step("closing the old database", 0);
    await close(pair.old, pair.database, context);
    if (state.method === "dump") await bringByDump(configuration, pair, context);
    else await bringTheRest(configuration, pair, state, context);
    await copyRoleSettings(pair, context);
    context.step("comparing", 0.7);
    // A database that was made anew has others.
    grants.new = await grantsOf(pair.new, pair.database, context);
    state = { ...state, grants };
    await writeUpgrade(configuration, state);
    await compare(configuration, pair, grants, context);
    context.step("laying the way back", 0.9);
    const wholeRows = {
      old: state.wholeRows?.old ?? [],
      new: await logWholeRows(pair.new, pair.database, context),
    };
    state = { ...state, wholeRows };
    await writeUpgrade(configuration, state);
    await beginStream(back(pair), false, context);
    context.signal.throwIfAborted();
  } catch (error) {
    await undo(configuration);
    throw error;
  }
  // From here on the new one is in use: cut off, it is opened by the next run.
  const downtimeSeconds = (performance.now() - started) / 1_000;
  state = { ...state, phase: "switched", switchedAt: new Date().toISOString(), downtimeSeconds };
  await writeUpgrade(configuration, state);
  return (await settle(configuration)) ?? state;
}

async function bringByDump(configuration: AgentConfiguration, pair: Pair, context: Context): Promise<void> {
  context.step("copying the database", 0.1);
  await emptyDatabase(pair, context);
  await copyPart(configuration, pair, "everything", context);
  context.step("analyzing", 0.6);
  await analyze(pair, context);
}

async function bringTheRest(
  configuration: AgentConfiguration,
  pair: Pair,
  { marked = false }: UpgradeState,
  context: Context,
): Promise<void> {
  const stream = forth(pair);
  context.step("carrying over the last changes", 0.2);
  await untilLevel(stream, context);
  await copySequences(stream, context);
  const unlogged = await unloggedTables(pair.old, pair.database, context);
  if (unlogged.length > 0) await copyPart(configuration, pair, { dataOf: unlogged }, context);
  await refreshViews(stream, context);
  await endStream(stream, { marked });
}

/** @throws Refusal with what the new database lacks or has otherwise. */
async function compare(
  configuration: AgentConfiguration,
  pair: Pair,
  grants: NonNullable<UpgradeState["grants"]>,
  context: Context,
): Promise<void> {
  const { stack, verification } = configuration;
  const { database } = pair;
  const before = await admitting(
    pair.old,
    { stack, database, grants: grants.old },
    context,
    async (login) => ({
      tables: await tableContents(pair.old, database, verification, { login, context }),
      known: await databaseFindings(pair.old, database, { login, context }),
    }),
  );
  const { problems } = await admitting(
    pair.new,
    { stack, database, grants: grants.new },
    context,
    async (login) =>
      together(
        differences(before.tables, await tableContents(pair.new, database, verification, { login, context })),
        await checkDatabase(pair.new, database, verification, { known: before.known, login, context }),
      ),
  );
  if (problems.length > 0) {
    throw new Refusal(`the new database is not as the old one: ${firstLines(problems)}`);
  }
}
