import { describe, expect, test } from "vitest";
import { missingSegments, nextSegment } from "../../agent/physical/archive.ts";
import { lsnNumber, parseTarget } from "../../agent/restore/target.ts";

describe("L5 F25 what a restore can be told", () => {
  test.each([
    ["2026-03-01T14:30:00Z", "2026-03-01 14:30:00+00"],
    ["2026-03-01 14:30Z", "2026-03-01 14:30:00+00"],
    ["2026-03-01 15:30:00.123456+01", "2026-03-01 15:30:00.123456+01"],
    ["2026-03-01T15:30:00 +01:00", "2026-03-01 15:30:00+01:00"],
  ])("L5 %s is a time", (value, read) => {
    expect(parseTarget({ type: "time", value })).toEqual({ type: "time", value: read });
  });

  test.each([
    [{ type: "time", value: "2026-03-01 14:30:00" }, /with its zone/],
    [{ type: "time", value: "yesterday" }, /with its zone/],
    [{ type: "time", value: "2026-13-45T14:30:00Z" }, /no point in time/],
    [{ type: "name", value: "a'b" }, /restore point's name/],
    [{ type: "xid", value: "12x" }, /transaction id/],
    [{ type: "lsn", value: "0-3000060" }, /such as 0\/3000060/],
    [{ type: "backup", id: "a b" }, /needs a target/],
    [undefined, /needs a target/],
  ])("F25 %o is refused", (given, message) => {
    expect(() => parseTarget(given)).toThrow(message);
  });

  test("L5 places in the write-ahead log are compared as numbers", () => {
    expect(lsnNumber("0/FFFFFFFF") < lsnNumber("1/0")).toBe(true);
    expect(lsnNumber("A/10") > lsnNumber("9/FFFFFF")).toBe(true);
  });
});

describe("F24 segments that lack", () => {
  const archived = (name: string) => `${name}-${"0".repeat(40)}.zst`;

  test("F24 one in the middle is named", () => {
    const names = ["000000010000000000000001", "000000010000000000000003"].map(archived);
    expect(missingSegments(names)).toEqual(["000000010000000000000002"]);
  });

  test("F24 the count goes on after FF", () => {
    expect(nextSegment("0000000100000002000000FF")).toBe("000000010000000300000000");
    expect(missingSegments(["0000000100000002000000FF", "000000010000000300000000"].map(archived))).toEqual(
      [],
    );
  });

  test("F24 timelines are looked at apart; history files and labels are none", () => {
    const names = ["00000002.history", "000000010000000000000005.00000028.backup"];
    const segments = ["000000010000000000000005", "000000020000000000000009"].map(archived);
    expect(missingSegments([...names, ...segments])).toEqual([]);
  });
});
