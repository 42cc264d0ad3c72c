import { describe, expect, test } from "vitest";
import { evaluateBackupAge, missedRuns, newestBackup } from "../../operations/health/backup-age.ts";
import { evaluateCertificate } from "../../operations/health/certificate-days.ts";
import { DEFAULT_THRESHOLDS as DEFAULTS } from "../../operations/health/thresholds.ts";
import { backupEntry, badEntry } from "../support/backup-entry.ts";

const DAY = 86_400_000;
const now = new Date("2026-11-20T12:00:00Z");
const inDays = (days: number) => new Date(now.getTime() + days * DAY);

describe("F11 certificate days left", () => {
  const judgeDays = (days: number, authority = 3_650) =>
    evaluateCertificate({ server: inDays(days), authorities: [inDays(authority)], now }, DEFAULTS);

  test.each([
    [90, "ok"],
    [30.5, "ok"],
    [30, "warning"],
    [14, "warning"],
    [7, "warning"],
    [0.5, "warning"],
    [0, "failed"],
    [-3, "failed"],
  ])("F11 %d days left", (days, status) => {
    expect(judgeDays(days)).toMatchObject({ status, value: Math.floor(days) });
  });
  test("F11 each step is more urgent", () => {
    expect(judgeDays(30).message).toContain("plan its renewal");
    expect(judgeDays(14).message).toContain("renew it soon");
    expect(judgeDays(7).message).toContain("NOW");
  });
  test("F11 an authority that ends first decides", () => {
    expect(judgeDays(90, 10)).toMatchObject({ status: "warning", value: 10 });
    expect(judgeDays(90, 10).message).toContain("authority");
  });
});

describe("L1 backup age", () => {
  const missed = (hours: number, schedule = "0 2 * * *") =>
    missedRuns(schedule, new Date(now.getTime() - hours * 3_600_000), now, DEFAULTS);

  test("L1 scheduled runs are counted, but for one that may still run", () => {
    expect(missed(9)).toBe(0);
    expect(missed(33)).toBe(1);
    expect(missed(57)).toBe(2);
    expect(missed(9, "0 * * * *")).toBe(2);
    expect(missed(100, "0 2 * * 0")).toBe(0);
    expect(missed(1, "30 11 * * *")).toBe(0);
  });
  test("L1 none yet warns, one missing warns, two fail, one in the future warns", () => {
    const judgeMissed = (count: number) =>
      evaluateBackupAge({ newest: inDays(-1), now, missed: count, clusterSeconds: 1e6 }, DEFAULTS).status;
    const none = { newest: undefined, now, missed: 0 };
    expect(evaluateBackupAge({ ...none, clusterSeconds: 1e6 }, DEFAULTS).status).toBe("warning");
    expect(evaluateBackupAge({ ...none, clusterSeconds: 5 }, DEFAULTS).status).toBe("not applicable");
    expect(evaluateBackupAge({ ...none, clusterSeconds: 5, failedAt: "2026-11-20" }, DEFAULTS)).toMatchObject(
      {
        status: "warning",
        message: expect.stringContaining("the last try failed at 2026-11-20"),
      },
    );
    expect([0, 1, 2].map(judgeMissed)).toEqual(["ok", "warning", "failed"]);
    expect(
      evaluateBackupAge({ newest: inDays(1), now, missed: 0, clusterSeconds: 1e6 }, DEFAULTS).status,
    ).toBe("warning");
  });
  test("L1 the newest good entry of metadata.json is found", () => {
    const times = ["2026-11-18T02:00:00Z", "2026-11-19T02:00:00Z", "2026-11-17T02:00:00Z"];
    const backups = times.map((finishedAt) => backupEntry(finishedAt));
    const damaged = badEntry("2026-11-20T02:00:00Z");
    expect(newestBackup({ backups: [...backups, damaged] })).toEqual(new Date("2026-11-19T02:00:00Z"));
    expect(newestBackup({ backups: [null, { finishedAt: "nonsense" }] })).toBeUndefined();
    expect(newestBackup({ backups: [] })).toBeUndefined();
    expect(newestBackup(undefined)).toBeUndefined();
    expect(() => newestBackup({ entries: [] })).toThrow(/no list of backups/);
    expect(() => newestBackup(null)).toThrow(/no list of backups/);
  });
});
