import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { derivedName } from "../../agent/derived-name.ts";
import { rehearsalStacks } from "../../cli/upgrade/rehearse.ts";
import { hostname } from "../../components/confined.ts";

const name = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 63 }),
  fc.string({ unit: fc.constantFrom("a", "b", "é", "🐘"), minLength: 30, maxLength: 63 }),
);
const suffix = fc.constantFrom("_restore", "_before_20261129t091000_abcd", "_before_20261129t091000_abcd_12");

describe("a name that is derived from a user's", () => {
  test("fits, ends as it should, is valid text and the same each time", () => {
    fc.assert(
      fc.property(name, suffix, (given, end) => {
        const derived = derivedName(given, end);
        expect(Buffer.byteLength(derived)).toBeLessThanOrEqual(63);
        expect(derived.endsWith(end)).toBe(true);
        expect(derived.isWellFormed()).toBe(true);
        expect(derived).not.toBe(given);
        expect(derivedName(given, end)).toBe(derived);
      }),
    );
  });

  test("is both together where they fit, and differs for names that differ", () => {
    fc.assert(
      fc.property(name, name, suffix, (left, right, end) => {
        if (Buffer.byteLength(left + end) <= 63) expect(derivedName(left, end)).toBe(left + end);
        expect(derivedName(left, end) === derivedName(right, end)).toBe(left === right);
      }),
    );
  });

  test("differs where only the part that is left out does", () => {
    const long = "a".repeat(62);
    expect(derivedName(`${long}b`, "_restore")).not.toBe(derivedName(`${long}c`, "_restore"));
    expect(derivedName("a".repeat(63), "_restore")).toMatch(/^a{42}_[0-9a-f]{12}_restore$/);
  });

  test("is refused for a suffix that leaves the name no room", () => {
    expect(() => derivedName("a".repeat(60), "_".repeat(50))).toThrow(RangeError);
  });

  test("is a host name that Linux takes, also of a container with a long name", () => {
    expect(hostname("shop-agent")).toBe("shop-agent");
    expect(hostname(`${"a".repeat(63)}-agent`)).toHaveLength(64);
    expect(hostname(`${"a".repeat(63)}-agent`)).not.toBe(hostname(`${"a".repeat(62)}b-agent`));
  });

  test("of a rehearsal is another one for stacks that begin alike, and is a name for a stack", () => {
    const stacks = ["a".repeat(41), `${"a".repeat(40)}b`, "a".repeat(20), "A".repeat(20), "a_".repeat(10)];
    const names = stacks.flatMap((stack) => rehearsalStacks(stack));
    expect(new Set(names).size).toBe(names.length);
    for (const one of names) expect(one).toMatch(/^[a-z0-9-]{1,40}$/);
  });
});
