import { rm } from "node:fs/promises";
import type { AgentConfiguration } from "../configuration.ts";
import { parseHistory } from "../lineage/chain.ts";
import { segmentAt, segmentNumber, segmentStart, segmentTimeline } from "../physical/segments.ts";
import type { ReplicationConnection } from "./connection.ts";
import { receivedSegments } from "./folder.ts";

/** The slot by which the server keeps what the agent has not received yet. */
export const SLOT = "pgstack_agent";

/** Where the log is to be received from. */
export interface StreamPosition {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** The start of a segment. */
  readonly lsn: bigint;
}

/**
 * Where the stream begins: with the segment of which something was not confirmed yet. A slot is made where there is none,
 * as in a restored cluster.
 *
 * @returns undefined while the server is in recovery: which timeline it comes to is not known then.
 */
export async function streamStart(
  connection: Pick<ReplicationConnection, "rows">,
  configuration: Pick<AgentConfiguration, "backupDirectory">,
  say: (text: string) => void,
): Promise<StreamPosition | undefined> {
  const [[recovering] = []] = await connection.rows("SELECT pg_catalog.pg_is_in_recovery()");
  if (recovering !== "f") return undefined;
  const [[systemIdentifier = "", number = "1"] = []] = await connection.rows("IDENTIFY_SYSTEM");
  // It becomes the name of a folder.
  if (!/^\d+$/.test(systemIdentifier))
    throw new Error("what answers is no server: it has no system identifier");
  const timeline = Number(number);
  const kept = await keptFrom(connection, say);
  const from = kept ?? (await createSlot(connection));
  const first = Math.max(segmentAt(from), segmentAt(await forkOf(connection, timeline)));
  if (kept === undefined) await discardReceived(configuration, { systemIdentifier, timeline }, first);
  return { systemIdentifier, timeline, lsn: segmentStart(first) };
}

/** Removes what was received of a timeline from a segment on: its number may have been another timeline's once. */
export async function discardReceived(
  configuration: Pick<AgentConfiguration, "backupDirectory">,
  { systemIdentifier, timeline }: Pick<StreamPosition, "systemIdentifier" | "timeline">,
  first: number,
): Promise<void> {
  for (const { name, path } of await receivedSegments(configuration, systemIdentifier)) {
    if (segmentTimeline(name) === timeline && segmentNumber(name) >= first) await rm(path, { force: true });
  }
}

/** LSN from which the slot holds the log; undefined where there is no slot that holds any. */
async function keptFrom(
  connection: Pick<ReplicationConnection, "rows">,
  say: (text: string) => void,
): Promise<string | undefined> {
  const [slot] = await connection.rows(
    `SELECT restart_lsn, wal_status FROM pg_catalog.pg_replication_slots WHERE slot_name = '${SLOT}'`,
  );
  if (slot === undefined) return undefined;
  const [lsn = "", status = ""] = slot;
  if (lsn !== "" && status !== "lost") return lsn;
  say(
    "the agent was away for longer than the server keeps its log for it (max_slot_wal_keep_size): what lies between comes from the archive, or a full backup is taken",
  );
  await connection.rows(`SELECT pg_catalog.pg_drop_replication_slot('${SLOT}')`);
  return undefined;
}

async function createSlot(connection: Pick<ReplicationConnection, "rows">): Promise<string> {
  const [[lsn = "0/0"] = []] = await connection.rows(
    `SELECT lsn FROM pg_catalog.pg_create_physical_replication_slot('${SLOT}', true)`,
  );
  return lsn;
}

/** LSN at which a timeline begins. */
async function forkOf(connection: Pick<ReplicationConnection, "rows">, timeline: number): Promise<string> {
  if (timeline === 1) return "0/0";
  const [[, history = ""] = []] = await connection.rows(`TIMELINE_HISTORY ${timeline}`);
  return parseHistory(history, timeline).at(-2)?.until ?? "0/0";
}
