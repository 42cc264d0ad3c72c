import {
  lsnNumber,
  segmentAt,
  segmentBefore,
  segmentName,
  segmentNumber,
  segmentTimeline,
} from "../physical/segments.ts";

/** A timeline, and the place in the write-ahead log at which the next one forked from it. */
export interface Stretch {
  readonly timeline: number;
  /** LSN; absent for the timeline that is written to. */
  readonly until?: string;
}

/** The timelines that lead to one, the oldest first: what PostgreSQL keeps in a history file. */
export type Chain = readonly Stretch[];

/** More are not listed: the archive then needs a new full backup in any case. */
const MOST_MISSING = 20;

/**
 * The chain of a timeline, from the text of its history file.
 *
 * A recovery that ends before it reaches its target timeline leaves a history whose last fork lies before the one above it:
 * the later line holds, as in PostgreSQL.
 * Source: https://www.postgresql.org/docs/16/continuous-archiving.html#BACKUP-TIMELINES
 */
export function parseHistory(text: string, timeline: number): Chain {
  const ancestors = text.split("\n").flatMap((line) => {
    const [, parent, until] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? [];
    return parent === undefined || until === undefined ? [] : [{ timeline: Number(parent), until }];
  });
  return withoutOverlap(timeline, ancestors);
}

/** The chain of a new timeline that forks from the end of another one's chain. */
export function forkedFrom(chain: Chain, until: string, timeline: number): Chain {
  const ancestors = chain.map((stretch) => ({ timeline: stretch.timeline, until: stretch.until ?? until }));
  return withoutOverlap(timeline, ancestors);
}

function withoutOverlap(
  timeline: number,
  ancestors: readonly { readonly timeline: number; readonly until: string }[],
): Chain {
  const chain: Stretch[] = [{ timeline }];
  let bound: string | undefined;
  for (let index = ancestors.length - 1; index >= 0; index -= 1) {
    const { timeline: ancestor, until: end } = ancestors[index] as { timeline: number; until: string };
    const begin = ancestors[index - 1]?.until ?? "0/0";
    const until = bound === undefined || lsnNumber(end) < lsnNumber(bound) ? end : bound;
    if (lsnNumber(begin) < lsnNumber(until)) chain.unshift({ timeline: ancestor, until });
    bound = lsnNumber(begin) < lsnNumber(until) ? begin : until;
  }
  return chain;
}

/** The timeline that is written to at the end of a chain. */
export function lastTimeline(chain: Chain): number {
  return chain.at(-1)?.timeline ?? 1;
}

/** Whether the log of a timeline up to an LSN belongs to a chain. */
export function leadsHere(chain: Chain, timeline: number, lsn: string): boolean {
  const stretch = chain.find((candidate) => candidate.timeline === timeline);
  if (stretch === undefined) return false;
  return stretch.until === undefined || lsnNumber(lsn) <= lsnNumber(stretch.until);
}

/**
 * Segments that lack of a chain between the one that a backup begins in and the last that was archived.
 *
 * @param names Archived segments, of any timeline, by the first 24 letters of their names.
 * @param first The segment that the oldest backup begins in.
 */
export function missingSegments(names: readonly string[], chain: Chain, first: string): string[] {
  const archived = Map.groupBy(names, segmentTimeline);
  const numbers = (timeline: number) => new Set((archived.get(timeline) ?? []).map(segmentNumber));
  const begin = chain.findIndex(({ timeline }) => timeline === segmentTimeline(first));
  const missing: string[] = [];
  let from = segmentNumber(first);
  for (const [index, { timeline, until }] of chain.entries()) {
    if (begin === -1 || index < begin) continue;
    const there = numbers(timeline);
    const last = until === undefined ? largest(there, from - 1) : segmentBefore(until);
    for (let number = from; number <= last && missing.length < MOST_MISSING; number += 1) {
      if (there.has(number)) continue;
      // A timeline begins with a copy of the segment that it forked in.
      const copied =
        number === last && chain.slice(index + 1).some((later) => numbers(later.timeline).has(number));
      if (!copied) missing.push(segmentName(timeline, number));
    }
    from = until === undefined ? last : segmentAt(until);
  }
  return missing;
}

function largest(numbers: Iterable<number>, least: number): number {
  let found = least;
  for (const number of numbers) if (number > found) found = number;
  return found;
}
