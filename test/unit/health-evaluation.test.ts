import { describe, expect, test } from "vitest";
import { type ArchiveState, evaluateArchive } from "../../operations/health/archive-lag.ts";
import { evaluateBackupRoom } from "../../operations/health/backup-headroom.ts";
import { evaluateChecksums } from "../../operations/health/checksum-failures.ts";
import { evaluateConfigurationFiles } from "../../operations/health/configuration-files.ts";
import { evaluateConnections } from "../../operations/health/connection-headroom.ts";
import { evaluateDisk, parseDf } from "../../operations/health/disk-headroom.ts";
import { evaluatePendingRestart } from "../../operations/health/pending-restart.ts";
import { evaluateReadiness } from "../../operations/health/readiness.ts";
import { evaluateRecoveryPoint } from "../../operations/health/recovery-point.ts";
import { evaluateReplication, type Replication } from "../../operations/health/replication-lag.ts";
import { formatSeconds, worstStatus } from "../../operations/health/report.ts";
import { evaluateRoleAnswer } from "../../operations/health/role-query.ts";
import { evaluateVersion } from "../../operations/health/server-version.ts";
import { DEFAULT_THRESHOLDS as DEFAULTS, judge } from "../../operations/health/thresholds.ts";
import { evaluateTransactionAge } from "../../operations/health/transaction-id-age.ts";
import { evaluateWrite } from "../../operations/health/write-probe.ts";

const GB = 1024 ** 3;

describe("L1 readiness and queries", () => {
  test.each([
    [0, "ok"],
    [1, "failed"],
    [2, "failed"],
    [3, "failed"],
    [124, "failed"],
  ])("L1 pg_isready's code %i is %s", (code, status) => {
    expect(evaluateReadiness(code, 5432).status).toBe(status);
  });

  test("a server that is held says why, and one that answers is not held any more", () => {
    const held = "the data volume is full: 3 MB are free";
    expect(evaluateReadiness(2, 5432, held)).toEqual({ status: "failed", message: `held: ${held}` });
    expect(evaluateReadiness(0, 5432, held).status).toBe("ok");
  });

  const answer = { role: "app", database: "shop", readOnly: false, milliseconds: 3.2 };
  const expected = { role: "app", database: "shop", kind: "application" } as const;

  test("L1 the right role on the right database, in time, is ok", () => {
    expect(evaluateRoleAnswer(answer, expected, DEFAULTS)).toMatchObject({ status: "ok", value: 3 });
  });
  test("L1 another role or database fails", () => {
    expect(evaluateRoleAnswer({ ...answer, role: "eve" }, expected, DEFAULTS).status).toBe("failed");
    expect(evaluateRoleAnswer({ ...answer, database: "x" }, expected, DEFAULTS).status).toBe("failed");
  });
  test("L1 a slow answer warns and never fails by default", () => {
    expect(evaluateRoleAnswer({ ...answer, milliseconds: 500 }, expected, DEFAULTS).status).toBe("warning");
    expect(evaluateRoleAnswer({ ...answer, milliseconds: 1e9 }, expected, DEFAULTS).status).toBe("warning");
  });
  test("L1 a read-only role that may write by default warns", () => {
    const readonly = { ...expected, kind: "readonly" } as const;
    expect(evaluateRoleAnswer(answer, readonly, DEFAULTS).status).toBe("warning");
    expect(evaluateRoleAnswer({ ...answer, readOnly: true }, readonly, DEFAULTS).status).toBe("ok");
  });

  test("L1 the write must change one row; a standby takes none", () => {
    expect(evaluateWrite({ standby: false, rows: 1 }).status).toBe("ok");
    expect(evaluateWrite({ standby: false, rows: 0 }).status).toBe("failed");
    expect(evaluateWrite({ standby: true, rows: 0 }).status).toBe("not applicable");
  });

  test.each([
    ["16.14", 160014, "ok"],
    ["18.4 (Debian 18.4-1)", 180004, "ok"],
    ["15.9", 150009, "failed"],
  ])("L1 version %s is judged", (version, number, status) => {
    expect(evaluateVersion(version, number)).toMatchObject({ status, value: version.split(" ")[0] });
  });
});

describe("L1 disk headroom", () => {
  const use = (total: number, free: number) => ({
    totalBytes: total,
    usedBytes: total - free,
    freeBytes: free,
  });

  test.each([
    ["a large disk, 19 % free", use(2_000 * GB, 380 * GB), "ok"],
    ["a large disk, 1 % free", use(2_000 * GB, 20 * GB - 1), "warning"],
    ["a usual disk, 19 % free", use(100 * GB, 19 * GB), "warning"],
    ["a usual disk, 20 % free", use(100 * GB, 20 * GB), "ok"],
    ["a usual disk, 1 % free", use(100 * GB, GB), "failed"],
    ["a small disk, half free", use(0.2 * GB, 0.1 * GB), "ok"],
    ["a full disk", use(10 * GB, 0), "failed"],
    ["no disk at all", use(0, 0), "failed"],
  ])("L1 %s", (_name, disk, status) => {
    expect(evaluateDisk(disk, DEFAULTS)).toMatchObject({ status, value: disk.freeBytes });
  });

  test.each([
    ["a usual disk, 20 % free", use(100 * GB, 20 * GB), "ok", /20 GB of 100 GB free/],
    ["a usual disk, 19 % free", use(100 * GB, 19 * GB), "warning", /make room in the backup place before/],
    ["a usual disk, 1 % free", use(100 * GB, GB), "warning", /make room in the backup place before/],
    ["room for a segment", use(0.2 * GB, 16 * 1024 ** 2), "warning", /before the archive stops/],
    ["no room for a segment", use(0.2 * GB, 16 * 1024 ** 2 - 1), "warning", /the backup place is full/],
  ])("backups on %s", (_name, disk, status, message) => {
    const finding = evaluateBackupRoom(disk, DEFAULTS);
    expect(finding).toMatchObject({ status, value: disk.freeBytes });
    expect(finding.message).toMatch(message);
  });

  test("L1 df's output is read, also with spaces in the device's name", () => {
    const head = "Filesystem           1024-blocks    Used Available Capacity Mounted on\n";
    expect(parseDf(`${head}/dev/vda 100 60 30  67% /var/lib/postgresql/data\n`)).toEqual({
      totalBytes: 102_400,
      usedBytes: 61_440,
      freeBytes: 30_720,
    });
    expect(parseDf(`${head}//nas/my share 7 100 0 100 0% /var/lib/postgresql/data`)).toMatchObject({
      freeBytes: 102_400,
    });
    expect(() => parseDf("df: not found")).toThrow(/no sizes/);
  });
});

describe("L1 connection headroom", () => {
  test.each([
    [77, "ok"],
    [78, "warning"],
    [92, "warning"],
    [93, "failed"],
    [100, "failed"],
  ])("L1 %i of 97 connections", (used, status) => {
    expect(evaluateConnections({ used, maximum: 100, reserved: 3 }, DEFAULTS).status).toBe(status);
  });
  test("L1 the value is what is left, never below zero", () => {
    expect(evaluateConnections({ used: 10, maximum: 100, reserved: 3 }, DEFAULTS).value).toBe(87);
    expect(evaluateConnections({ used: 99, maximum: 100, reserved: 3 }, DEFAULTS).value).toBe(0);
  });
});

describe("L1 replication and archive lag", () => {
  const none: Replication = { ownLagSeconds: null, standbys: [], slots: [] };
  const slot = { name: "s1", active: true, retainedBytes: 0, lost: false };

  test("L1 a lone primary has no lag to judge", () => {
    expect(evaluateReplication(none, DEFAULTS).status).toBe("not applicable");
  });
  test("L1 the worst standby decides and is named", () => {
    const standbys = [
      { name: "near", lagSeconds: 1, lagBytes: 0 },
      { name: "far", lagSeconds: 301, lagBytes: 5 },
    ];
    const finding = evaluateReplication({ ...none, standbys }, DEFAULTS);
    expect(finding).toMatchObject({ status: "failed", value: 301, message: "far is 5 minutes behind" });
  });
  test("L1 a standby judges its own lag", () => {
    expect(evaluateReplication({ ...none, ownLagSeconds: 0 }, DEFAULTS).status).toBe("ok");
    expect(evaluateReplication({ ...none, ownLagSeconds: 30 }, DEFAULTS).status).toBe("warning");
  });
  test("L1 F48 slots that hold WAL warn and fail, a lost one fails", () => {
    const held = (retainedBytes: number) =>
      evaluateReplication({ ...none, slots: [{ ...slot, retainedBytes }] }, DEFAULTS);
    expect(held(0).status).toBe("ok");
    expect(held(GB).status).toBe("warning");
    expect(held(10 * GB).status).toBe("failed");
    expect(evaluateReplication({ ...none, slots: [{ ...slot, lost: true }] }, DEFAULTS).status).toBe(
      "failed",
    );
  });

  const archive: ArchiveState = {
    waiting: 0,
    oldestSeconds: 0,
    failing: false,
    lastFailedSegment: null,
    queue: { waiting: 0, oldestSeconds: 0 },
  };
  test.each([
    ["idle", {}, "ok"],
    ["behind for 5 minutes", { waiting: 3, oldestSeconds: 300 }, "warning"],
    ["behind for an hour", { waiting: 99, oldestSeconds: 3_600 }, "failed"],
    ["failing at its first segment", { waiting: 1, oldestSeconds: 2, failing: true }, "warning"],
    ["whole here, and not yet in the object storage", { queue: { waiting: 1, oldestSeconds: 1 } }, "warning"],
    ["not in the object storage for an hour", { queue: { waiting: 9, oldestSeconds: 3_600 } }, "failed"],
  ])("L1 F26 an archive that is %s", (_name, change, status) => {
    expect(evaluateArchive({ ...archive, ...change }, DEFAULTS).status).toBe(status);
  });
});

describe("the recovery point [L12]", () => {
  test.each([
    [0.3, 3_600, "ok", "within 0.3 s"],
    [9, 3_600, "ok", "within 9.0 s"],
    [
      10,
      3_600,
      "warning",
      "commits of the last 10 s may not be in the backup place: docker logs agent says why",
    ],
    [3_600, 3_600, "failed", "commits of the last 1 hour"],
    [Number.POSITIVE_INFINITY, 60, "warning", "nothing of the log has been received yet"],
    [Number.POSITIVE_INFINITY, 59, "ok", "the agent has just started"],
    [3_600, 59, "ok", "the agent has just started"],
  ])("of %d seconds, while the agent is up for %d", (seconds, upSeconds, status, message) => {
    const found = evaluateRecoveryPoint({ seconds, upSeconds }, "agent", DEFAULTS);
    expect(found.status).toBe(status);
    expect(found.message).toContain(message);
  });
});

describe("L1 transaction ids, checksums and settings", () => {
  test.each([
    [499_999_999, "ok"],
    [500_000_000, "warning"],
    [1_500_000_000, "failed"],
  ])("L1 an age of %i transactions", (age, status) => {
    expect(evaluateTransactionAge({ database: "shop", age }, DEFAULTS)).toMatchObject({ status, value: age });
  });
  test("L1 F52 damaged pages fail and name the database; checksums that are off warn", () => {
    const clean = { database: "a", failures: 0, last: null };
    expect(evaluateChecksums(true, [clean]).status).toBe("ok");
    expect(evaluateChecksums(false, [clean]).status).toBe("warning");
    const damaged = evaluateChecksums(true, [clean, { database: "shop", failures: 2, last: "2026-11-20" }]);
    expect(damaged).toMatchObject({ status: "failed", value: 2 });
    expect(damaged.message).toContain("2 in shop");
  });
  test("L1 settings that wait for a restart warn by name", () => {
    expect(evaluatePendingRestart([]).status).toBe("ok");
    expect(evaluatePendingRestart(["shared_buffers"]).message).toContain("shared_buffers");
  });
  test("L1 lines that the server refuses fail with file and line", () => {
    expect(evaluateConfigurationFiles([]).status).toBe("ok");
    const lines = [{ file: "/etc/pgstack/pg_hba.conf", line: 7, error: "invalid method" }];
    expect(evaluateConfigurationFiles(lines).message).toBe("/etc/pgstack/pg_hba.conf:7: invalid method");
  });
});

describe("L1 the report as a whole", () => {
  test("L1 the worst check decides", () => {
    const of = (...all: ("ok" | "warning" | "failed" | "not applicable")[]) =>
      worstStatus(all.map((status) => ({ status })));
    expect(of()).toBe("ok");
    expect(of("ok", "not applicable")).toBe("ok");
    expect(of("ok", "warning", "ok")).toBe("warning");
    expect(of("failed", "warning")).toBe("failed");
  });
  test("L1 limits count when they are reached", () => {
    expect([9, 10, 20].map((value) => judge(value, { warn: 10, fail: 20 }))).toEqual([
      "ok",
      "warning",
      "failed",
    ]);
  });
  test("L1 times are said in their largest unit", () => {
    expect([3, 60, 7_200, 90_000, 200_000].map(formatSeconds)).toEqual([
      "3 s",
      "1 minute",
      "2 hours",
      "1 day",
      "2 days",
    ]);
  });
});
