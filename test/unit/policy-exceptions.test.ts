import { describe, expect, test } from "vitest";
import { exceptionProblems, isAccepted } from "../../policies/exceptions.ts";

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
    expect(exceptionProblems([one], rules, "prod", NOW)).toEqual([]);
  });

  test.each([
    [{ until: "2026-02-28" }, /has expired on 2026-02-28/],
    [{ until: "2027-01-01" }, /more than 90 days/],
    [{ until: "soon" }, /a day such as/],
    [{ reason: " " }, /no reason/],
    [{ rule: "tls-onn" }, /no such rule/],
  ])("G3 %j is told, and accepts nothing", (over, words) => {
    const wrong = { ...one, ...over };
    expect(exceptionProblems([wrong], rules, "prod", NOW)).toEqual([expect.stringMatching(words)]);
    if (!("rule" in over)) expect(isAccepted(finding, [wrong], NOW)).toBe(false);
    expect(exceptionProblems([wrong], rules, "dev", NOW)).toEqual([]);
  });
});
