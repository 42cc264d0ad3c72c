import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { physicalEntries } from "../physical/info.ts";
import { archivePush } from "../physical/pgbackrest.ts";
import { historyName, SEGMENT_BYTES, segmentTimeline } from "../physical/segments.ts";
import { readPlain, withCopy } from "../plain-file.ts";
import { query } from "../sql.ts";
import { type Chain, lastTimeline, parseHistory } from "./chain.ts";
import { type Lineage, readLineage, withChain, writeLineage } from "./record.ts";
import { type ArchiveRoot, archivedHistory, archivedIn, archiveRoot } from "./repository.ts";

/**
 * The record as it should be by the server that runs: where it says otherwise, or nothing, the server is right and the
 * record follows. To be called while no restore is at work.
 */
export async function reconcileLineage(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<Lineage> {
  const { identifier, timeline } = await serverTimeline(configuration, context);
  const recorded = await readLineage(configuration, context);
  const known = recorded?.systemIdentifier === identifier ? recorded : undefined;
  if (known !== undefined && lastTimeline(known.chain) === timeline) {
    if (known.stack === undefined)
      await writeLineage(configuration, { ...known, stack: configuration.stack }, context);
    return known;
  }
  const chain = await serverChain(configuration, timeline);
  const by = "found on the running server";
  const found =
    known === undefined
      ? first(identifier, chain, by)
      : { ...withChain(known, { chain, by, owed: known.owed !== undefined || timeline > 1 }) };
  await writeLineage(configuration, { ...found, stack: configuration.stack }, context);
  return found;
}

/**
 * The lineage that a recovery goes by: the record's; without one, as in a repository that was written by an earlier
 * version, that of the timeline whose log was written to last.
 */
export async function lineageOf(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal"> & Partial<Pick<Context, "step">>,
): Promise<Lineage> {
  const recorded = await readLineage(configuration, context);
  if (recorded !== undefined) return recorded;
  const server = await serverTimeline(configuration, context).catch(() => undefined);
  context.signal.throwIfAborted();
  if (server !== undefined) {
    return first(
      server.identifier,
      await serverChain(configuration, server.timeline),
      "found on the running server",
    );
  }
  const [repository = "local"] = configuration.physical.repositories;
  const root = await archiveRoot(configuration, repository, context);
  const timeline = await lastWritten(configuration, repository, root, context);
  if (timeline > 1) {
    context.step?.(`no record of timelines: following timeline ${timeline}, whose log was written last`);
  }
  const identifier = (await physicalEntries(configuration, context)).at(-1)?.systemIdentifier ?? "unknown";
  return first(
    identifier,
    await archivedChain(configuration, repository, root, timeline, context),
    "found in the archive",
  );
}

/** The chain of a timeline that the archive knows. */
export async function archivedChain(
  configuration: AgentConfiguration,
  repository: string,
  { id = "" }: Pick<ArchiveRoot, "id">,
  timeline: number,
  context: Pick<Context, "signal">,
): Promise<Chain> {
  if (timeline === 1) return [{ timeline }];
  return parseHistory(await archivedHistory(configuration, { repository, id, timeline }, context), timeline);
}

/**
 * Hands the history file of the server's timeline to the archive, should the server not have come to it yet: without it no
 * recovery finds the timeline. Where that fails, the server's own archiver goes on trying.
 */
export async function archiveHistory(
  configuration: AgentConfiguration,
  timeline: number,
  context: Pick<Context, "signal">,
): Promise<void> {
  if (timeline === 1) return;
  const { physical, dataDirectory } = configuration;
  const [repository = "local"] = physical.repositories;
  const path = join(dataDirectory, "pg_wal", historyName(timeline));
  await withCopy(path, SEGMENT_BYTES, (copy) =>
    archivePush(configuration, repository, { path: copy, timeoutSeconds: 30 }, context),
  ).catch(() => context.signal.throwIfAborted());
}

function first(systemIdentifier: string, chain: Chain, by: string): Lineage {
  return { format: 1, systemIdentifier, chain, at: new Date().toISOString(), by, abandoned: [] };
}

async function serverTimeline(
  configuration: AgentConfiguration,
  { signal }: Pick<Context, "signal">,
): Promise<{ identifier: string; timeline: number }> {
  // The control file learns of a new timeline at the next checkpoint only: the log itself knows it at once.
  const [row] = await query<{ identifier: string; segment: string }>(
    configuration,
    `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS identifier,
            pg_walfile_name(pg_current_wal_insert_lsn()) AS segment`,
    { signal },
  );
  if (row === undefined) throw new Error("the server does not tell its timeline");
  return { identifier: row.identifier, timeline: segmentTimeline(row.segment) };
}

async function serverChain({ dataDirectory }: AgentConfiguration, timeline: number): Promise<Chain> {
  if (timeline === 1) return [{ timeline }];
  const text = await readPlain(join(dataDirectory, "pg_wal", historyName(timeline)), SEGMENT_BYTES);
  return parseHistory(text.toString("utf8"), timeline);
}

/** The timeline whose last segment was archived last. */
async function lastWritten(
  configuration: AgentConfiguration,
  repository: string,
  root: ArchiveRoot,
  context: Pick<Context, "signal">,
): Promise<number> {
  let newest = { at: -1, timeline: 1 };
  for (const [prefix, folders] of Map.groupBy(root.folders, (folder) => folder.slice(0, 8))) {
    const timeline = Number.parseInt(prefix, 16);
    const segments = await archivedIn(configuration, repository, root, folders.at(-1) ?? "", context);
    const at = Math.max(-1, ...segments.values());
    if (at > newest.at || (at === newest.at && timeline > newest.timeline)) newest = { at, timeline };
  }
  return newest.timeline;
}
