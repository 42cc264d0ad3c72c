import { describe, expect, test } from "vitest";
import { exceptionProblems, isAccepted, parseExceptions } from "../../policies/exceptions.ts";

const NOW = new Date("2026-03-01T12:00:00Z");

describe("G3 exceptions", () => {
  const one = { rule: "tls-on", stack: "prod", reason: "the old client goes in March", until: "2026-03-20" };
  const finding = { rule: "tls-on", stack: "prod", resource: "server-configuration" };
  const rules = new Set(["tls-on"]);

  test("G3 one is good for its rule, stack and resource, through its last day", () => {
    expect(isAccepted(finding, [one], NOW)).toBe(true);
    expect(isAccepted(finding, [one], new Date("2026-03-20T23:59:00Z"))).toBe(true);
    expect(isAccepted(finding, [{ ...one, resource: "another" }], NOW)).toBe(false);
    expect(isAccepted({ ...finding, rule: "durable" }, [one], NOW)).toBe(false);
    expect(isAccepted({ ...finding, stack: "staging" }, [one], NOW)).toBe(false);
    expect(exceptionProblems({ list: [one], problems: [] }, rules, "prod", NOW)).toEqual([]);
  });

  test.each([
    [{ until: "2026-02-28" }, /has expired on 2026-02-28/],
    [{ until: "2027-01-01" }, /more than 90 days/],
    [{ until: "soon" }, /a day such as/],
    [{ reason: " " }, /no reason/],
    [{ rule: "tls-onn" }, /no such rule/],
  ])("G3 %j is told, and accepts nothing", (over, words) => {
    const wrong = { ...one, ...over };
    expect(exceptionProblems({ list: [wrong], problems: [] }, rules, "prod", NOW)).toEqual([
      expect.stringMatching(words),
    ]);
    if (!("rule" in over)) expect(isAccepted(finding, [wrong], NOW)).toBe(false);
    expect(exceptionProblems({ list: [wrong], problems: [] }, rules, "dev", NOW)).toEqual([]);
  });

  test.each([
    ["{", /^policies\/exceptions\.json: it is no JSON: /],
    ["{}", /^policies\/exceptions\.json: it must be a list$/],
    ['["tls-on"]', /number 1: it must be a map/],
    [
      JSON.stringify([one, { ...one, rule: undefined, policy: "tls-on" }]),
      /number 2: there is no key policy: rule, stack, reason, until, resource are right/,
    ],
    [JSON.stringify([{ ...one, until: 20260320 }]), /number 1: it needs a text as until/],
    [JSON.stringify([{ ...one, stack: undefined }]), /number 1: it needs a text as stack/],
  ])("G3 %s is told for every stack, and accepts nothing", (text, words) => {
    const found = parseExceptions(text);
    for (const stack of ["prod", "dev"]) {
      expect(exceptionProblems(found, rules, stack, NOW)).toEqual([expect.stringMatching(words)]);
    }
    expect(found.list).toEqual(text.includes("policy") ? [one] : []);
  });
});
