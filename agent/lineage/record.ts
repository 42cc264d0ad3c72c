import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { isCode } from "../failure.ts";
import { writeWhole } from "../files.ts";
import { type Chain, lastTimeline } from "./chain.ts";
import { archivedRecord, archiveRecord } from "./repository.ts";

/** Which timelines the stack's database has come along; recorded by whatever begins one, before the server opens. */
export interface Lineage {
  readonly format: 1;
  /** Absent: an earlier version wrote this. */
  readonly stack?: string;
  readonly systemIdentifier: string;
  readonly chain: Chain;
  /** When it became the stack's; ISO 8601. */
  readonly at: string;
  /** What made it, such as `restore 20260301-…`. */
  readonly by: string;
  /** A full backup that is still to be taken, so that recovery has a base on the present timeline. */
  readonly owed?: OwedBackup;
  /** The timelines that were left, the latest last. */
  readonly abandoned: readonly AbandonedTimeline[];
  /** Repositories that do not have this record yet. */
  readonly unmirrored?: readonly string[];
}

/** A full backup that is to be taken. */
export interface OwedBackup {
  readonly since: string;
  /** Why, in words. */
  readonly by: string;
}

/** A timeline that a restore has left. */
export interface AbandonedTimeline {
  readonly chain: Chain;
  readonly at: string;
  readonly by: string;
}

const MOST_ABANDONED = 50;

/** The record, from the backup folder, else from a repository; undefined where nothing was recorded yet. */
export async function readLineage(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<Lineage | undefined> {
  const recorded = parse(await readFile(recordFile(configuration), "utf8").catch(absent));
  if (recorded !== undefined) return recorded;
  for (const repository of configuration.physical.repositories) {
    const mirrored = await recordInRepository(configuration, repository, context);
    if (mirrored !== undefined) return mirrored;
  }
  return undefined;
}

/** The record as a repository has it; undefined where it has none, or is away. */
export async function recordInRepository(
  configuration: AgentConfiguration,
  repository: string,
  context: Pick<Context, "signal">,
): Promise<Lineage | undefined> {
  const text = await archivedRecord(configuration, repository, context).catch(() => undefined);
  context.signal.throwIfAborted();
  return parse(text);
}

/** The record as it stands in the backup folder: cheap enough to be asked for each second. */
export async function readRecordedLineage(configuration: AgentConfiguration): Promise<Lineage | undefined> {
  return parse(await readFile(recordFile(configuration), "utf8").catch(absent));
}

/** Records a lineage durably; a repository that is away gets it later, by {@link mirrorLineage}. */
export async function writeLineage(
  configuration: AgentConfiguration,
  lineage: Lineage,
  context: Pick<Context, "signal">,
): Promise<void> {
  const { repositories } = configuration.physical;
  await store(configuration, { ...lineage, unmirrored: repositories });
  await mirrorLineage(configuration, context);
}

/** Puts the record into the repositories that lack it. */
export async function mirrorLineage(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  const lineage = await readRecordedLineage(configuration);
  const { unmirrored = [], ...record } = lineage ?? {};
  if (unmirrored.length === 0) return;
  const lacking: string[] = [];
  for (const repository of unmirrored) {
    await archiveRecord(configuration, repository, textOf(record as Lineage), context).catch(() => {
      lacking.push(repository);
    });
    context.signal.throwIfAborted();
  }
  if (lacking.length < unmirrored.length) {
    await store(configuration, {
      ...(record as Lineage),
      ...(lacking.length === 0 ? {} : { unmirrored: lacking }),
    });
  }
}

/** The lineage that goes on with another chain; the timeline that is left is remembered. */
export function withChain(
  lineage: Lineage,
  { chain, by, owed }: { readonly chain: Chain; readonly by: string; readonly owed: boolean },
  now = new Date(),
): Lineage {
  const at = now.toISOString();
  const left = { chain: lineage.chain, at, by };
  const leaves = lastTimeline(lineage.chain) !== lastTimeline(chain);
  const { owed: _, ...kept } = lineage;
  return {
    ...kept,
    ...{ chain, at, by, ...(owed ? { owed: { since: at, by } } : {}) },
    abandoned: leaves ? [...lineage.abandoned, left].slice(-MOST_ABANDONED) : lineage.abandoned,
  };
}

async function store(configuration: AgentConfiguration, lineage: Lineage): Promise<void> {
  await writeWhole(recordFile(configuration), textOf(lineage));
}

function textOf(lineage: Lineage): string {
  return `${JSON.stringify(lineage, undefined, 2)}\n`;
}

function parse(text: string | undefined): Lineage | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<Lineage> | null;
    return value?.format === 1 && Array.isArray(value.chain) ? (value as Lineage) : undefined;
  } catch {
    return undefined;
  }
}

function absent(error: unknown): undefined {
  if (isCode(error, "ENOENT")) return undefined;
  throw error;
}

function recordFile({ backupDirectory }: Pick<AgentConfiguration, "backupDirectory">): string {
  return join(backupDirectory, "state", "lineage.json");
}
