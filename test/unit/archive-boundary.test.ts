import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import {
  archiveBoundary,
  type BoundaryOptions,
  recordedBoundaries,
  withReach,
} from "../../agent/physical/archive-boundary.ts";
import { segmentName } from "../../agent/physical/segments.ts";
import { describeOlder, pointsInTime } from "../../agent/point-in-time.ts";
import { planRetention } from "../../agent/retention.ts";
import { backupEntry, badEntry } from "../support/backup-entry.ts";

const NOW = new Date("2026-11-21T03:00:00Z");
const DAY = 86_400_000;

/** A physical backup of so many days ago, whose log begins at a segment of that day. */
function physical(daysAgo: number, more: Partial<BackupEntry> = {}, make = backupEntry): BackupEntry {
  const at = new Date(NOW.getTime() - daysAgo * DAY).toISOString();
  const number = Math.round((100 - daysAgo) * 10);
  const timeline = more.timeline ?? 1;
  return make(at, {
    ...{
      id: `${at.slice(0, 10).replaceAll("-", "")}-${at.slice(11, 19).replaceAll(":", "")}F`,
      kind: "full",
    },
    ...{ startWal: segmentName(timeline, number), stopWal: segmentName(timeline, number + 1) },
    ...{ archiveId: "16-1", ...more },
  });
}

const daily = (from: number, more: (daysAgo: number) => Partial<BackupEntry> = () => ({})) =>
  Array.from({ length: from + 1 }, (_, index) => physical(from - index, more(from - index)));

const boundary = (entries: readonly BackupEntry[], more: Partial<BoundaryOptions> = {}) =>
  archiveBoundary(entries, { pitrDays: 7, now: NOW, ...more });

describe("what of the archive stays [C1]", () => {
  test("the log from the newest backup on that the whole window comes after", () => {
    const entries = daily(20);
    const found = boundary(entries);
    expect(found?.backups).toEqual([entries.at(-8)]);
    expect(found?.count).toBe(8);
    expect(boundary(daily(20, (ago) => ({ id: physical(ago + 0.1).id })))?.count).toBe(8);
  });

  test("all of it from the oldest backup on where backups are kept for less than the window, or there is none", () => {
    expect(boundary(daily(5))).toMatchObject({ count: 6, backups: [physical(5)] });
    expect(boundary(daily(20), { pitrDays: undefined })).toMatchObject({ count: 21 });
  });

  test("also what follows the newest full backup, however old it is", () => {
    const entries = daily(20, (ago) =>
      ago > 11 ? {} : { kind: "incremental", id: `${physical(12).id}_${physical(ago).id.slice(0, -1)}I` },
    );
    expect(boundary(entries)?.backups).toEqual([physical(12)]);
  });

  test("neither a failed backup nor one of a timeline that was left begins the window", () => {
    const entries = daily(20).map((entry, index) => {
      if (index === 13) return physical(7, {}, badEntry);
      return index === 12 ? { ...entry, abandoned: true } : entry;
    });
    expect(boundary(entries)?.backups).toEqual([physical(9)]);
  });

  test("nothing that is to be copied to another repository yet is let go", () => {
    const waiting = physical(15.5).startWal ?? "";
    expect(boundary(daily(20), { segments: [waiting] })?.backups).toEqual([physical(16)]);
    expect(boundary(daily(20), { segments: [physical(30).startWal ?? ""] })).toBeUndefined();
  });

  test("a boundary does not go back before what was let go", () => {
    const entries = daily(20, (ago) => (ago > 5 ? { ownEndOnly: true } : {}));
    expect(boundary(entries)?.backups).toEqual([physical(5)]);
  });

  test("a newer backup of a timeline that sorts before keeps its log", () => {
    const entries = daily(20, (ago) => ({ timeline: ago >= 6 && ago <= 9 ? 2 : 1 }));
    // All of timeline 1 sorts before the backup of timeline 2 that the window would begin with.
    expect(boundary(entries)?.backups).toMatchObject([{ id: physical(10).id }]);
  });

  test("another cluster's newest backup keeps its log, too", () => {
    const entries = daily(20, (ago) =>
      ago > 9 ? { archiveId: "16-1", abandoned: true } : { archiveId: "16-2" },
    );
    expect(boundary(entries)?.backups).toEqual([
      physical(7, { archiveId: "16-2" }),
      physical(10, { archiveId: "16-1", abandoned: true }),
    ]);
  });

  test("whatever there is: the window, the newest full backup and each newer one keep all that follows", () => {
    const backup = fc.record({
      daysAgo: fc.integer({ min: 0, max: 40 }),
      good: fc.boolean(),
      timeline: fc.integer({ min: 1, max: 3 }),
      abandoned: fc.boolean(),
      ownEndOnly: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.uniqueArray(backup, { selector: ({ daysAgo }) => daysAgo, maxLength: 15 }), (given) => {
        const entries = given
          .map(({ daysAgo, good, ...more }) => physical(daysAgo, more, good ? backupEntry : badEntry))
          .sort((one, other) => one.finishedAt.localeCompare(other.finishedAt));
        const found = boundary(entries);
        if (found === undefined) return;
        const [oldest] = found.backups;
        const kept = entries.slice(-found.count);
        expect(kept[0]).toEqual(oldest);
        for (const { startWal = "" } of kept) expect(startWal >= (oldest?.startWal ?? "")).toBe(true);
        const reaching = entries.filter(({ abandoned, ownEndOnly, verification }) => {
          return verification.result === "ok" && abandoned !== true && ownEndOnly !== true;
        });
        const old = reaching.filter(({ finishedAt }) => Date.parse(finishedAt) <= NOW.getTime() - 7 * DAY);
        const needed = old.length === 0 ? reaching : [...old.slice(-1), ...reaching.slice(-1)];
        for (const entry of needed) expect(kept).toContain(entry);
        expect(oldest?.ownEndOnly).not.toBe(true);
      }),
    );
  });
});

describe("points in time [C1]", () => {
  test("a backup from before the noted boundary is restored as of its own end only", () => {
    const entries = daily(4, (ago) => (ago === 2 ? { logFrom: "x" } : {}));
    const s3 = physical(4, { repositories: ["s3"] });
    const boundaries = recordedBoundaries(entries);
    const reached = [s3, ...entries].map((entry) => withReach(entry, boundaries));
    expect(reached.map(({ ownEndOnly }) => ownEndOnly === true)).toEqual([
      false,
      true,
      true,
      false,
      false,
      false,
    ]);
    const local = reached.slice(1);
    expect(pointsInTime(local)).toEqual({ from: physical(2).finishedAt, older: local.slice(0, 2) });
    expect(describeOlder(local.slice(0, 2))).toBe(
      `from before that, backups as of their own end: ${physical(4).id} (${physical(4).finishedAt}), ${physical(3).id} (${physical(3).finishedAt})`,
    );
    expect(describeOlder(daily(20))).toMatch(/ and 16 more \(pgstack backups\)$/);
    expect(pointsInTime(reached.slice(1, 3))).toBeUndefined();
  });

  test("the backup that the window begins with stays, whatever retention says", () => {
    const retention = { days: 2, weeks: 0, months: 0, pitrDays: 7 };
    const kept = planRetention(daily(9), retention, NOW).filter((fate) => fate.kept);
    expect(kept.map(({ entry }) => entry.id)).toEqual(
      [physical(7), physical(1), physical(0)].map(({ id }) => id),
    );
    expect(kept[0]?.reason).toBe("points in time are restored from it");
    expect(planRetention(daily(5), retention, NOW).filter((fate) => fate.kept)).toHaveLength(2);
  });
});
