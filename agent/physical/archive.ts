import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { ArchivedLog } from "../lineage/archived-log.ts";
import { missingSegments } from "../lineage/chain.ts";
import { lineageOf } from "../lineage/reconcile.ts";
import { readBackups } from "../metadata.ts";
import { query } from "../sql.ts";
import { CheckedFolders } from "./checked-folders.ts";

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

/** Asks the server and each repository about the archive. */
export async function archiveState(
  configuration: AgentConfiguration,
  context: Context,
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
    gaps: await archiveGaps(configuration, context),
  };
}

/**
 * The segments that lack for recovery along the stack's timelines, by repository: from the oldest backup to the last that was
 * archived.
 */
export async function archiveGaps(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<ArchiveState["gaps"]> {
  const { chain } = await lineageOf(configuration, context);
  const entries = (await readBackups(configuration, context)).entries;
  const gaps: { repository: string; segments: string[] }[] = [];
  for (const repository of configuration.physical.repositories) {
    const oldest = entries.find(
      ({ kind, abandoned, repositories }) =>
        kind !== "logical" && abandoned !== true && repositories.includes(repository),
    );
    if (oldest?.startWal === undefined) continue;
    const checked = await CheckedFolders.read(configuration, repository);
    const range = { chain, from: oldest.startWal, known: checked.known };
    const log = await ArchivedLog.open(configuration, repository, range, context);
    await checked.remember(log.root.id, log.whole);
    const segments = missingSegments(log, chain, oldest.startWal);
    if (segments.length > 0) gaps.push({ repository, segments });
  }
  return gaps;
}
