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

/** Where segments are looked for. */
export interface SegmentSource {
  has(timeline: number, number: number): boolean;
  /** Number of the last segment of a timeline; -1: there is none. */
  last(timeline: number): number;
  /** Number up to which everything is there from one on, where that is known without asking for each; else undefined. */
  through?(timeline: number, number: number): number | undefined;
}

/** Segments by their names, of any timeline. */
export function segmentsNamed(names: readonly string[]): SegmentSource {
  const numbers = new Map(
    [...Map.groupBy(names, segmentTimeline)].map(([timeline, of]) => [
      timeline,
      new Set(of.map(segmentNumber)),
    ]),
  );
  return {
    has: (timeline, number) => numbers.get(timeline)?.has(number) === true,
    last: (timeline) => Math.max(-1, ...(numbers.get(timeline) ?? [])),
  };
}

/** What is in either of two places. */
export function eitherOf(one: SegmentSource, other: SegmentSource): SegmentSource {
  return {
    has: (timeline, number) => one.has(timeline, number) || other.has(timeline, number),
    last: (timeline) => Math.max(one.last(timeline), other.last(timeline)),
    through: (timeline, number) => one.through?.(timeline, number) ?? other.through?.(timeline, number),
  };
}

/**
 * Segments that lack of a chain between the one that a backup begins in and the last that there is.
 *
 * @param first The segment that the oldest backup begins in.
 */
export function missingSegments(there: SegmentSource, chain: Chain, first: string): string[] {
  const begin = chain.findIndex(({ timeline }) => timeline === segmentTimeline(first));
  const missing: string[] = [];
  let from = segmentNumber(first);
  for (const [index, { timeline, until }] of chain.entries()) {
    if (begin === -1 || index < begin) continue;
    const last = until === undefined ? Math.max(from - 1, there.last(timeline)) : segmentBefore(until);
    for (let number = from; number <= last && missing.length < MOST_MISSING; number += 1) {
      const through = there.through?.(timeline, number);
      if (through !== undefined) number = through;
      if (through !== undefined || there.has(timeline, number)) continue;
      // A timeline begins with a copy of the segment that it forked in.
      const copied =
        number === last && chain.slice(index + 1).some((later) => there.has(later.timeline, number));
      if (!copied) missing.push(segmentName(timeline, number));
    }
    from = until === undefined ? last : segmentAt(until);
  }
  return missing;
}
