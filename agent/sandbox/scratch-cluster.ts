import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { output } from "../program.ts";
import {
  OWN,
  type Parameters,
  recoveryParameters,
  type TemporaryServer,
  untilAnswering,
  withTemporaryServer,
} from "../restore/cluster.ts";
import { INITDB } from "./scripts.ts";
import { withSandboxedServer } from "./server.ts";

/** What a throw-away server loses at a crash goes with it anyway. */
const FAST: Parameters = { fsync: "off", full_page_writes: "off", wal_level: "minimal", max_wal_senders: 0 };
/** What a query over all tables of a database needs is a lock for each of them and their indexes. */
const LEAST_LOCKS = 1_024;

type Place = Pick<AgentConfiguration, "dataDirectory" | "scratchDirectory" | "sandboxDirectory">;

/**
 * Makes an empty cluster, in the sandbox where there is one, runs work with its server, and removes it.
 *
 * @param name Of its folder, where there is no sandbox.
 */
export async function withScratchCluster<Value>(
  configuration: Place,
  name: string,
  context: Pick<Context, "signal">,
  work: (server: TemporaryServer) => Promise<Value>,
): Promise<Value> {
  const parameters = { ...(await roomForLocks(configuration)), ...FAST };
  const once = async (server: TemporaryServer, ended: Promise<number>) => {
    await untilAnswering(server, ended, context);
    return work(server);
  };
  const { sandboxDirectory, scratchDirectory } = configuration;
  if (sandboxDirectory !== undefined) {
    return withSandboxedServer(sandboxDirectory, { parameters: { ...OWN, ...parameters } }, context, once);
  }
  const folder = join(scratchDirectory, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const [program = "", ...options] = INITDB;
    await output(program, [...options, `--pgdata=${folder}`], context);
    return await withTemporaryServer(folder, parameters, context, once);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A throw-away server is to hold what the stack's own server holds: it has as much room for locks at least. */
async function roomForLocks({ dataDirectory }: Pick<Place, "dataDirectory">): Promise<Parameters> {
  const stacks = await recoveryParameters(dataDirectory).catch(() => undefined);
  if (stacks === undefined) return { max_locks_per_transaction: LEAST_LOCKS };
  const [locks, sessions, prepared] = [
    ...[stacks["max_locks_per_transaction"], stacks["max_connections"], stacks["max_prepared_transactions"]],
  ].map(Number) as [number, number, number];
  const each = Math.ceil((locks * (sessions + prepared)) / Number(OWN["max_connections"]));
  return { max_locks_per_transaction: Math.max(LEAST_LOCKS, each) };
}
