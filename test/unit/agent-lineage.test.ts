import { describe, expect, test } from "vitest";
import {
  type Chain,
  forkedFrom,
  leadsHere,
  missingSegments,
  parseHistory,
  segmentsNamed,
} from "../../agent/lineage/chain.ts";
import { lsnNumber, nextSegment, segmentAt, segmentBefore } from "../../agent/physical/segments.ts";

const FIRST: Chain = [{ timeline: 1 }];

function segments(timeline: number, from: number, to: number): string[] {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  return Array.from({ length: to - from + 1 }, (_, index) => `${hex(timeline)}${hex(0)}${hex(from + index)}`);
}

describe("places in the write-ahead log", () => {
  test("are compared as numbers", () => {
    expect(lsnNumber("0/FFFFFFFF") < lsnNumber("1/0")).toBe(true);
    expect(lsnNumber("A/10") > lsnNumber("9/FFFFFF")).toBe(true);
  });

  test("belong to segments, whose count goes on after FF", () => {
    expect(segmentAt("0/5000000")).toBe(5);
    expect(segmentBefore("0/5000000")).toBe(4);
    expect(segmentBefore("0/5000001")).toBe(5);
    expect(nextSegment("0000000100000002000000FF")).toBe("000000010000000300000000");
  });
});

describe("a chain of timelines", () => {
  test("is read from PostgreSQL's history file", () => {
    const text = '1\t0/3000060\tat restore point "a"\n\n2\t0/5000000\tbefore transaction 7\n';
    const chain = [{ timeline: 1, until: "0/3000060" }, { timeline: 2, until: "0/5000000" }, { timeline: 4 }];
    expect(parseHistory(text, 4)).toEqual(chain);
    expect(forkedFrom(parseHistory("1\t0/3000060\t\n", 2), "0/5000000", 4)).toEqual(chain);
  });

  test("leaves out a timeline that recovery did not come to before it ended", () => {
    expect(parseHistory("1\t0/9000000\tx\n2\t0/5000000\ty\n", 3)).toEqual([
      { timeline: 1, until: "0/5000000" },
      { timeline: 3 },
    ]);
  });

  test("holds the log up to each fork, and nothing of a timeline that was left", () => {
    const chain = parseHistory("1\t0/5000000\t\n", 3);
    expect(leadsHere(chain, 1, "0/5000000")).toBe(true);
    expect(leadsHere(chain, 1, "0/5000001")).toBe(false);
    expect(leadsHere(chain, 2, "0/1")).toBe(false);
    expect(leadsHere(chain, 3, "9/0")).toBe(true);
  });
});

describe("segments that lack [F24]", () => {
  test("are named, between the oldest backup's and the last", () => {
    const there = [...segments(1, 1, 1), ...segments(1, 3, 5)];
    expect(missingSegments(segmentsNamed(there), FIRST, segments(1, 1, 1)[0] as string)).toEqual(
      segments(1, 2, 2),
    );
    expect(missingSegments(segmentsNamed(there), FIRST, segments(1, 3, 3)[0] as string)).toEqual([]);
  });

  test("are looked for along the chain alone", () => {
    const chain = parseHistory("1\t0/3000100\t\n", 3);
    const first = segments(1, 1, 1)[0] as string;
    const abandoned = [...segments(1, 4, 4), ...segments(1, 9, 9), ...segments(2, 3, 3)];
    expect(
      missingSegments(
        segmentsNamed([...segments(1, 1, 3), ...abandoned, ...segments(3, 3, 6)]),
        chain,
        first,
      ),
    ).toEqual([]);
    expect(
      missingSegments(
        segmentsNamed([...segments(1, 1, 3), ...abandoned, ...segments(3, 5, 6)]),
        chain,
        first,
      ),
    ).toEqual(segments(3, 3, 4));
    expect(
      missingSegments(segmentsNamed([...segments(1, 1, 1), ...segments(3, 3, 4)]), chain, first),
    ).toEqual(segments(1, 2, 2));
  });

  test("a new timeline begins with a copy of the segment that it forked in", () => {
    const chain = parseHistory("1\t0/3000100\t\n", 2);
    const there = [...segments(1, 1, 2), ...segments(2, 3, 3)];
    expect(missingSegments(segmentsNamed(there), chain, segments(1, 1, 1)[0] as string)).toEqual([]);
    expect(missingSegments(segmentsNamed(segments(1, 1, 3)), chain, segments(1, 1, 1)[0] as string)).toEqual(
      [],
    );
  });
});
