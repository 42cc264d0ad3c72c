import { describe, expect, test } from "vitest";
import { parseTarget } from "../../agent/restore/target.ts";

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
});
