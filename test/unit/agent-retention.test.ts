import { describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { planRetention, priorOf } from "../../agent/retention.ts";
import { backupEntry, badEntry } from "../support/backup-entry.ts";

const NOW = new Date("2026-11-21T03:00:00Z");
const RETENTION = { days: 7, weeks: 4, months: 6 };

/** One backup a day at 02:00, the last one today. */
function daily(days: number) {
  return Array.from({ length: days }, (_, age) => {
    const day = new Date(NOW);
    day.setUTCDate(day.getUTCDate() - (days - 1 - age));
    return backupEntry(`${day.toISOString().slice(0, 10)}T02:00:00.000Z`);
  });
}

const kept = (fates: ReturnType<typeof planRetention>) =>
  fates.filter((fate) => fate.kept).map(({ entry }) => entry.finishedAt.slice(0, 10));

describe("L4 retention", () => {
  test("L4 of a year of daily backups stay seven days, the newest of four weeks and of six months", () => {
    expect(kept(planRetention(daily(365), RETENTION, NOW))).toEqual([
      "2026-06-30",
      "2026-07-31",
      "2026-08-31",
      "2026-09-30",
      "2026-10-31",
      "2026-11-01",
      "2026-11-08",
      "2026-11-15",
      "2026-11-16",
      "2026-11-17",
      "2026-11-18",
      "2026-11-19",
      "2026-11-20",
      "2026-11-21",
    ]);
  });

  test("L4 each fate says why", () => {
    const fates = planRetention(daily(40), RETENTION, NOW);
    expect(fates.at(-1)).toMatchObject({ kept: true, reason: "the last good one" });
    expect(fates.at(-2)).toMatchObject({ kept: true, reason: "the newest of 2026-11-20" });
    expect(fates[1]).toMatchObject({ kept: false, reason: expect.stringContaining("a newer one stands") });
  });

  test("L4 of several a day the newest stays", () => {
    const entries = ["01", "09", "17"].map((hour) => backupEntry(`2026-11-19T${hour}:00:00.000Z`));
    expect(kept(planRetention(entries, { days: 1, weeks: 0, months: 0 }, NOW))).toHaveLength(1);
    expect(planRetention(entries, { days: 1, weeks: 0, months: 0 }, NOW).at(-1)?.kept).toBe(true);
  });

  test("L4 of the last 24 hours all stay, and one with a label for as long as days are kept", () => {
    const entries = [
      backupEntry("2026-11-12T02:00:00.000Z", { label: "too old" }),
      backupEntry("2026-11-17T02:00:00.000Z", { label: "before 7.2" }),
      backupEntry("2026-11-17T03:00:00.000Z"),
      backupEntry("2026-11-20T12:00:00.000Z"),
      backupEntry("2026-11-21T02:00:00.000Z"),
    ];
    const fates = planRetention(entries, { days: 7, weeks: 0, months: 0 }, NOW);
    expect(fates.map((fate) => fate.kept)).toEqual([true, true, true, true, true]);
    expect(fates[1]?.reason).toBe("it has a label");
    const narrow = planRetention(entries, { days: 1, weeks: 0, months: 0 }, NOW);
    expect(narrow.map((fate) => fate.kept)).toEqual([false, false, false, true, true]);
  });

  test("L4 F32 when all but one are bad, the good one stays however old it is, and newer bad ones with it", () => {
    const good = backupEntry("2025-01-01T02:00:00.000Z");
    const entries = [badEntry("2024-12-01T02:00:00.000Z"), good, badEntry("2026-11-20T02:00:00.000Z")];
    const fates = planRetention(entries, { days: 1, weeks: 0, months: 0 }, NOW);
    expect(fates.map((fate) => fate.kept)).toEqual([false, true, true]);
  });

  test("L4 F32 with no good one nothing goes", () => {
    const entries = [badEntry("2024-12-01T02:00:00.000Z"), badEntry("2026-11-20T02:00:00.000Z")];
    expect(kept(planRetention(entries, { days: 1, weeks: 0, months: 0 }, NOW))).toHaveLength(2);
  });

  test("L4 F29 a clock that was a year ahead removes nothing that is not of the past", () => {
    const future = backupEntry("2027-11-20T02:00:00.000Z");
    const fates = planRetention([...daily(10), future], { days: 3, weeks: 0, months: 0 }, NOW);
    expect(fates.at(-1)).toMatchObject({ kept: true, reason: "of the future" });
  });

  test("L4 F29 a stack that was off for two months keeps what it had", () => {
    const later = new Date("2027-01-21T03:00:00Z");
    expect(kept(planRetention(daily(7), RETENTION, later))).toHaveLength(7);
  });

  test("L4 L5 what a kept incremental backup rests on stays, of its own repository", () => {
    const full = { kind: "full", id: "F" } as const;
    const entries = [
      backupEntry("2026-10-01T02:00:00.000Z", full),
      backupEntry("2026-10-02T02:00:00.000Z", { kind: "incremental", id: "F_I1", prior: "F" }),
      backupEntry("2026-10-03T02:00:00.000Z", { kind: "incremental", id: "F_I2", prior: "F_I1" }),
      backupEntry("2026-11-20T02:00:00.000Z", { ...full, id: "G" }),
      backupEntry("2026-11-21T02:00:00.000Z", { kind: "incremental", id: "G_I1", prior: "G" }),
    ];
    const fates = planRetention(entries, { days: 1, weeks: 0, months: 0 }, NOW);
    expect(fates.map((fate) => fate.kept)).toEqual([false, false, false, true, true]);
    expect(fates[3]?.reason).toBe("G_I1 rests on it");
    const wider = planRetention(entries, { days: 3, weeks: 0, months: 0 }, NOW);
    expect(wider.map((fate) => fate.kept)).toEqual([true, true, true, true, true]);
  });

  test("a bad backup takes the day, week or month of no good one [L4]", () => {
    const entries = [
      backupEntry("2026-10-19T02:00:00.000Z"),
      badEntry("2026-10-20T02:00:00.000Z"),
      backupEntry("2026-11-03T02:00:00.000Z"),
      badEntry("2026-11-04T02:00:00.000Z"),
      backupEntry("2026-11-19T02:00:00.000Z"),
      badEntry("2026-11-19T09:00:00.000Z"),
      backupEntry("2026-11-21T02:00:00.000Z"),
    ];
    const good = (retention: typeof RETENTION) => {
      const fates = planRetention(entries, retention, NOW);
      return fates.filter((fate) => fate.kept).map(({ entry }) => entry.finishedAt.slice(5, 13));
    };
    expect(good({ days: 2, weeks: 0, months: 0 })).toEqual(["11-19T02", "11-21T02"]);
    expect(good({ days: 0, weeks: 2, months: 0 })).toEqual(["11-03T02", "11-21T02"]);
    expect(good({ days: 0, weeks: 0, months: 2 })).toEqual(["10-19T02", "11-21T02"]);
  });

  test("a backup rests on that of its own repository, not on one of the same name in another [L4]", () => {
    const entries = ["s3", "local"].flatMap((repository) => [
      backupEntry("2026-10-01T02:00:00.000Z", { id: "F", kind: "full", repositories: [repository] }),
      backupEntry(repository === "s3" ? "2026-10-02T02:00:00.000Z" : "2026-11-21T02:00:00.000Z", {
        ...{ id: "F_I1", kind: "incremental", prior: "F", repositories: [repository] },
      }),
    ]);
    entries.push(
      backupEntry("2026-11-21T01:00:00.000Z", { id: "G", kind: "full", repositories: ["s3"] }),
      // What it rests on is in the other repository alone.
      backupEntry("2026-11-21T02:30:00.000Z", {
        ...{ id: "G_I1", kind: "incremental", prior: "G", repositories: ["local"] },
      }),
    );
    const fates = planRetention(entries, { days: 1, weeks: 0, months: 0 }, NOW);
    const of = (repository: string) =>
      fates.filter(({ entry, kept }) => kept && entry.repositories[0] === repository);
    expect(of("local").map(({ entry }) => entry.id)).toEqual(["F", "F_I1", "G_I1"]);
    expect(of("s3").map(({ entry }) => entry.id)).toEqual(["G"]);
    expect(priorOf(entries[3] as BackupEntry, entries)).toBe(entries[2]);
    expect(priorOf(entries.at(-1) as BackupEntry, entries)).toBeUndefined();
  });

  test("L4 dumps and physical backups are counted apart, and so is each repository", () => {
    const at = "2026-11-20T02:00:00.000Z";
    const entries = [
      backupEntry(at, { id: "d" }),
      backupEntry(at, { id: "p", kind: "full" }),
      backupEntry(at, { id: "s", kind: "full", repositories: ["s3"] }),
    ];
    expect(kept(planRetention(entries, { days: 1, weeks: 0, months: 0 }, NOW))).toHaveLength(3);
  });
});
