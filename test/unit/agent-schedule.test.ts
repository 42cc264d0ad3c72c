import { describe, expect, test } from "vitest";
import { nextDue } from "../../agent/schedule/due.ts";
import { physicalKind } from "../../agent/schedule/tasks.ts";
import { backupEntry, badEntry } from "../support/backup-entry.ts";

const DAILY = "0 2 * * *";
const at = (text: string) => new Date(text);

describe("L3 the schedule", () => {
  test("L3 the run after one is the next of its cron line, in UTC", () => {
    const due = nextDue(DAILY, { last: "2026-11-20T02:00:01Z" }, at("2026-11-20T12:00:00Z"));
    expect(due.toISOString()).toBe("2026-11-21T02:00:00.000Z");
  });

  test("L3 a stack that never had a backup takes one at once", () => {
    expect(nextDue(DAILY, {}, at("2026-11-20T12:00:00Z"))).toEqual(at("2026-11-20T12:00:00Z"));
  });

  test("L3 F30 off for three days: one run makes up for all", () => {
    const now = at("2026-11-23T09:00:00Z");
    expect(nextDue(DAILY, { last: "2026-11-20T02:00:01Z" }, now) <= now).toBe(true);
    const after = nextDue(DAILY, { last: now.toISOString() }, now);
    expect(after.toISOString()).toBe("2026-11-24T02:00:00.000Z");
  });

  test("L3 F29 the clock goes back a day: no storm, and the next run comes as if nothing were", () => {
    const now = at("2026-11-19T12:00:00Z");
    const due = nextDue(DAILY, { last: "2026-11-20T02:00:01Z" }, now);
    expect(due.toISOString()).toBe("2026-11-20T02:00:00.000Z");
  });

  test("L3 F29 the clock goes ahead a day: one run, no more", () => {
    const now = at("2026-11-21T12:00:00Z");
    expect(nextDue(DAILY, { last: "2026-11-20T02:00:01Z" }, now) <= now).toBe(true);
    expect(nextDue(DAILY, { last: now.toISOString() }, now) > now).toBe(true);
  });

  test.each([
    [1, 5],
    [2, 10],
    [3, 20],
    [9, 60],
  ])("L3 after %i failures the next try comes %i minutes later", (failures, minutes) => {
    const failedAt = "2026-11-20T02:00:10.000Z";
    const due = nextDue(DAILY, { failedAt, failures }, at("2026-11-20T02:00:11Z"));
    expect(due.getTime() - Date.parse(failedAt)).toBe(minutes * 60_000);
  });

  test("L3 a success after failures goes back to the cron line", () => {
    const remembered = { last: "2026-11-20T03:00:00Z", failedAt: "2026-11-20T02:30:00Z", failures: 3 };
    const due = nextDue(DAILY, remembered, at("2026-11-20T04:00:00Z"));
    expect(due.toISOString()).toBe("2026-11-21T02:00:00.000Z");
  });
});

describe("L5 which physical backup is due", () => {
  const now = at("2026-11-21T02:00:00Z");

  test.each([
    ["there is none", [], "full"],
    ["the only one is damaged", [badEntry("2026-11-20T02:00:00.000Z", { kind: "full" })], "full"],
    ["the last is of yesterday", [backupEntry("2026-11-20T02:00:00.000Z", { kind: "full" })], "incremental"],
    ["the last is of a week ago", [backupEntry("2026-11-14T02:00:03.000Z", { kind: "full" })], "full"],
  ] as const)("L5 when %s", (_when, entries, kind) => {
    expect(physicalKind(entries, 7, now)).toBe(kind);
  });
});
