import { describe, expect, test } from "vitest";
import type { AgentStatus } from "../../agent/status.ts";
import type { HealthReport } from "../../operations/health.ts";
import { checkRecovery, recoveryReport } from "../../operations/recovery-check.ts";
import type { ProtectionState } from "../../operations/storage-protection.ts";
import { backupEntry, badEntry } from "../support/backup-entry.ts";

const NOW = new Date("2026-11-21T03:00:00Z");
const GOOD: AgentStatus = {
  folder: "f",
  backups: [
    backupEntry("2026-11-21T02:00:00.000Z"),
    backupEntry("2026-11-21T02:00:10.000Z", { kind: "full", repositories: ["s3"] }),
  ],
  problems: [],
  archive: {
    lastSegment: "000000010000000000000007",
    since: "2026-01-01T00:00:00.000Z",
    failures: 0,
    failing: false,
    waiting: 0,
    gaps: [],
  },
  drill: { at: "2026-11-20T04:30:00Z", result: "ok", rtoSeconds: 3, rpoSeconds: 1, seconds: 5 },
  nextBackup: "2026-11-22T02:00:00Z",
  queue: { waiting: 0 },
  lastRuns: [],
  kept: [],
};
const HEALTH: HealthReport = {
  ...{ stack: "dev", at: NOW.toISOString(), status: "ok", serverVersion: "16.14", durationMilliseconds: 5 },
  disk: undefined,
  checks: [
    { name: "replication lag", status: "not applicable", message: "no standby", durationMilliseconds: 1 },
    { name: "readiness", status: "ok", message: "yes", durationMilliseconds: 1 },
  ],
};

const PROTECTED: ProtectionState = {
  ...{ mode: "versioned", days: 14, bucket: "backups", prefix: "pgstack/" },
  ...{ at: NOW.toISOString(), problems: [] },
};

const failed = (status: Partial<AgentStatus>, health = HEALTH) =>
  checkRecovery({ ...GOOD, ...status }, health, NOW)
    .filter((point) => point.status === "failed")
    .map(({ point }) => point);

describe("A4 the disaster recovery check", () => {
  test("A4 all is well", () => {
    expect(failed({})).toEqual([]);
    expect(checkRecovery(GOOD, HEALTH, NOW, PROTECTED).map(({ status }) => status)).not.toContain("warning");
  });

  test.each<[string, Parameters<typeof checkRecovery>[3], string, RegExp]>([
    ["nothing protects", undefined, "warning", /who takes over the agent can delete .*backupS3\.protection/],
    [
      "the protection is gone",
      { ...PROTECTED, problems: ["it is off"] },
      "failed",
      /versioned, but it is off/,
    ],
    ["the storage is away", new Error("the object storage does not answer"), "failed", /does not answer/],
  ])("B11 %s: what can be deleted with the stack's key is told", (_, protection, status, message) => {
    const points = checkRecovery(GOOD, HEALTH, NOW, protection);
    expect(points.filter((point) => point.status !== "ok" && point.status !== "not applicable")).toEqual([
      { point: "a copy that the stack's key cannot delete", status, message: expect.stringMatching(message) },
    ]);
  });

  test.each<[string, Partial<AgentStatus>, string[]]>([
    ["no backups", { backups: [] }, ["last good logical backup", "last good physical backup"]],
    [
      "the only dump is damaged",
      { backups: [badEntry("2026-11-21T02:00:00.000Z"), GOOD.backups[1] ?? backupEntry("")] },
      ["last good logical backup"],
    ],
    [
      "all are three days old",
      { backups: GOOD.backups.map((entry) => ({ ...entry, finishedAt: "2026-11-18T02:00:00.000Z" })) },
      ["last good logical backup", "last good physical backup"],
    ],
    [
      "a segment is missing",
      {
        archive: {
          ...GOOD.archive,
          since: "2026-01-01T00:00:00.000Z",
          failures: 0,
          failing: false,
          waiting: 0,
          gaps: [{ repository: "local", segments: ["X"] }],
        },
      },
      ["write-ahead log without a gap"],
    ],
    [
      "the archive fails",
      { archive: { since: "2026-01-01T00:00:00.000Z", failures: 3, failing: true, waiting: 9, gaps: [] } },
      ["archive up to date"],
    ],
    [
      "the last drill failed",
      { drill: { at: "2026-11-20T04:30:00Z", result: "failed", message: "torn", seconds: 1 } },
      ["restore proven by a drill"],
    ],
    [
      "a restore was cut off",
      {
        restore: {
          ...{ format: 1, id: "r", startedAt: "2026-11-20T04:30:00Z", target: "t" },
          phase: "swapping",
        },
      },
      ["no restore left open"],
    ],
    ["an object storage does not answer", { problems: ["s3: timeout"] }, ["every backup is good"]],
  ])("A4 %s", (_what, status, points) => {
    expect(failed(status)).toEqual(points);
  });

  test("A4 the report is a table that says what was found", () => {
    const report = recoveryReport("dev", checkRecovery({ ...GOOD, backups: [] }, HEALTH, NOW), NOW);
    expect(report).toContain("2 of 12 points failed.");
    expect(report).toContain("| last good logical backup | failed | there is none |");
  });
});
