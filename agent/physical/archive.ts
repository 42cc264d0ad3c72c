import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { query } from "../sql.ts";
import { info } from "./info.ts";
import { pgbackrest } from "./pgbackrest.ts";

/** How the archive of the write-ahead log stands. */
export interface ArchiveState {
  /** Last segment that the server handed over; undefined when there was none yet. */
  readonly lastSegment?: string;
  readonly lastArchivedAt?: string;
  /** Failures since the statistics began, and whether the last attempt was one. */
  readonly failures: number;
  readonly failing: boolean;
  /** Segments that wait for being archived. */
  readonly waiting: number;
  /** Segments that lack in a repository between its first and its last one. */
  readonly gaps: readonly { readonly repository: string; readonly segments: readonly string[] }[];
}

/** More are not listed; the archive is then to be begun anew in any case. */
const MOST_GAPS = 20;
const LOOK_SECONDS = 60;
const SEGMENT = /^[0-9A-F]{24}/;

/** Asks the server and each repository about the archive. */
export async function archiveState(
  configuration: AgentConfiguration,
  context: Context,
): Promise<ArchiveState> {
  const [row] = await query<{
    segment: string | null;
    at: string | null;
    failures: number;
    failing: boolean;
    waiting: number;
  }>(
    configuration,
    `SELECT last_archived_wal AS segment, to_char(last_archived_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
            failed_count::float8 AS failures,
            coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing,
            (SELECT count(*)::float8 FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS waiting
       FROM pg_stat_archiver`,
    context,
  );
  if (row === undefined) throw new Error("the server does not tell of its archiver");
  return {
    ...(row.segment === null ? {} : { lastSegment: row.segment }),
    ...(row.at === null ? {} : { lastArchivedAt: row.at }),
    ...{ failures: row.failures, failing: row.failing, waiting: row.waiting },
    gaps: await archiveGaps(configuration, context),
  };
}

/**
 * The segments that lack, by repository.
 *
 * @param only Look at this repository alone: another one that is away then holds nothing up.
 */
export async function archiveGaps(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
  only?: string,
): Promise<ArchiveState["gaps"]> {
  const number = only === undefined ? 0 : configuration.physical.repositories.indexOf(only) + 1;
  const stanza = await info(configuration, context, number > 0 ? number : undefined);
  const gaps: { repository: string; segments: string[] }[] = [];
  for (const [index, repository] of configuration.physical.repositories.entries()) {
    if (only !== undefined && repository !== only) continue;
    for (const { id } of stanza?.archive ?? []) {
      const path = `archive/${configuration.physical.stanza}/${id}`;
      const listing = await pgbackrest(configuration, "repo-ls", {
        options: [`--repo=${index + 1}`, "--recurse", "--output=json"],
        path: [path],
        timeoutSeconds: LOOK_SECONDS,
        context,
      });
      const names = Object.keys(JSON.parse(listing) as Record<string, unknown>);
      const segments = missingSegments(names.map((name) => name.split("/").at(-1) ?? ""));
      if (segments.length > 0) gaps.push({ repository, segments });
    }
  }
  return gaps;
}

/** Segments of 16 MB that lack between the first and the last of each timeline. */
export function missingSegments(names: readonly string[]): string[] {
  const timelines = Map.groupBy(
    names
      .filter((name) => SEGMENT.test(name) && !/\.(backup|partial)\b/.test(name))
      .map((name) => name.slice(0, 24)),
    (segment) => segment.slice(0, 8),
  );
  const missing: string[] = [];
  for (const [timeline, segments] of timelines) {
    const there = new Set(segments);
    const numbers = segments.map(numberOf).sort((one, other) => one - other);
    const [first = 0, last = 0] = [numbers[0], numbers.at(-1)];
    for (let number = first; number <= last && missing.length < MOST_GAPS; number += 1) {
      const name = nameOf(timeline, number);
      if (!there.has(name)) missing.push(name);
    }
  }
  return missing;
}

/** The segment after one. */
export function nextSegment(segment: string): string {
  return nameOf(segment.slice(0, 8), numberOf(segment) + 1);
}

/** With segments of 16 MB, the last eight digits count to 255 before the middle ones go on. */
function numberOf(segment: string): number {
  return Number.parseInt(segment.slice(8, 16), 16) * 256 + Number.parseInt(segment.slice(16, 24), 16);
}

function nameOf(timeline: string, number: number): string {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  return `${timeline}${hex(Math.floor(number / 256))}${hex(number % 256)}`;
}
