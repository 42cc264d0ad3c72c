import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { type BackupEntry, isPhysicalIn } from "../entry.ts";
import { ArchivedLog } from "../lineage/archived-log.ts";
import { missingSegments } from "../lineage/chain.ts";
import { lineageOf } from "../lineage/reconcile.ts";
import { segmentsIn } from "../lineage/repository.ts";
import { type Backups, readBackups } from "../metadata.ts";
import { query } from "../sql.ts";
import { CheckedFolders } from "./checked-folders.ts";
import { archiveFolder, segmentsBetween } from "./segments.ts";

/** How the archive of the write-ahead log stands. */
export interface ArchiveState {
  /** Last segment that the server handed over; undefined where there was none since the statistics began. */
  readonly lastSegment?: string;
  readonly lastArchivedAt?: string;
  /** When the statistics began: with the cluster, and anew with each crash. ISO 8601. */
  readonly since: string;
  /** Failures since the statistics began, and whether the last attempt was one. */
  readonly failures: number;
  readonly failing: boolean;
  /** Segments that wait for being archived. */
  readonly waiting: number;
  /** Segments that lack in a repository between its oldest backup and the last one, along the stack's timelines. */
  readonly gaps: readonly { readonly repository: string; readonly segments: readonly string[] }[];
}

/**
 * Asks the server and each repository about the archive.
 *
 * @param backups The backups, where they are being read already.
 */
export async function archiveState(
  configuration: AgentConfiguration,
  context: Context,
  backups: Promise<Backups> = readBackups(configuration, context),
): Promise<ArchiveState> {
  const [row] = await query<{
    segment: string | null;
    at: string | null;
    since: string;
    failures: number;
    failing: boolean;
    waiting: number;
  }>(
    configuration,
    `SELECT last_archived_wal AS segment, to_char(last_archived_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
            to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS since, failed_count::float8 AS failures,
            coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing,
            (SELECT count(*)::float8 FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS waiting
       FROM pg_stat_archiver`,
    context,
  );
  if (row === undefined) throw new Error("the server does not tell of its archiver");
  return {
    ...(row.segment === null ? {} : { lastSegment: row.segment }),
    ...(row.at === null ? {} : { lastArchivedAt: row.at }),
    ...{ since: row.since, failures: row.failures, failing: row.failing, waiting: row.waiting },
    gaps: await archiveGaps(configuration, context, (await backups).entries),
  };
}

/**
 * The segments that lack for recovery along the stack's timelines, by repository: from the oldest backup that log follows to the
 * last that was archived, and those that an older one needs for its own consistency. What the window has let go of lacks nobody.
 */
export async function archiveGaps(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
  entries: readonly BackupEntry[],
): Promise<ArchiveState["gaps"]> {
  const { chain } = await lineageOf(configuration, context);
  const gaps: { repository: string; segments: string[] }[] = [];
  for (const repository of configuration.physical.repositories) {
    const physical = entries.filter(isPhysicalIn(repository)).filter(({ abandoned }) => abandoned !== true);
    const oldest = physical.find(({ ownEndOnly }) => ownEndOnly !== true);
    if (oldest?.startWal === undefined) continue;
    const checked = await CheckedFolders.read(configuration, repository);
    const range = { chain, id: oldest.archiveId, from: oldest.startWal, known: checked.known };
    const log = await ArchivedLog.open(configuration, repository, range, context);
    const older = physical.filter(
      ({ ownEndOnly, archiveId }) => ownEndOnly === true && archiveId === oldest.archiveId,
    );
    const lacking = await lackingForOwnEnd(configuration, repository, { log, older, checked }, context);
    const consistent = older.filter(({ id }) => !lacking.has(id)).map(({ id }) => id);
    await checked.remember(log.root.id, [...log.whole, ...consistent]);
    const segments = [...[...lacking.values()].flat(), ...missingSegments(log, chain, oldest.startWal)];
    if (segments.length > 0) gaps.push({ repository, segments: [...new Set(segments)] });
  }
  return gaps;
}

/** What lacks of the log between begin and end of backups, by their ids. */
async function lackingForOwnEnd(
  configuration: AgentConfiguration,
  repository: string,
  {
    log: { root },
    older,
    checked,
  }: {
    readonly log: ArchivedLog;
    readonly older: readonly BackupEntry[];
    readonly checked: CheckedFolders;
  },
  context: Pick<Context, "signal">,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const lacking = new Map<string, readonly string[]>();
  for (const { id, startWal, stopWal } of older) {
    const known = checked.known.id === root.id && checked.known.folders.has(id);
    if (known || startWal === undefined || stopWal === undefined) continue;
    const needed = segmentsBetween(startWal, stopWal);
    const there = new Set<string>();
    for (const folder of new Set(needed.map(archiveFolder)))
      for (const segment of await segmentsIn(configuration, repository, root, folder, context))
        there.add(segment);
    const missing = needed.filter((segment) => !there.has(segment));
    if (missing.length > 0) lacking.set(id, missing);
  }
  return lacking;
}
