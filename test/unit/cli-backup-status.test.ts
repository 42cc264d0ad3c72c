import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import type { AgentStatus } from "../../agent/status.ts";
import { backupLines } from "../../cli/backup-status.ts";
import { backupEntry } from "../support/backup-entry.ts";

const NOW = new Date("2026-03-01T12:00:00.000Z");
const COUNTED = { since: "2026-03-01T11:58:00.000Z", failures: 0, failing: false, waiting: 0, gaps: [] };

function archiveLine(archive: Partial<AgentStatus["archive"]>): string | undefined {
  const status = {
    ...{ folder: "f", backups: [], problems: [], kept: [], lastRuns: [], queue: { waiting: 0 } },
    ...{ nextBackup: NOW.toISOString(), archive: { ...COUNTED, ...archive } },
  };
  const line = backupLines(status, NOW).find(([name]) => name === "archive");
  return line && stripVTControlCharacters(line[1]);
}

test("the last segment, or since when the server counts: after a crash it begins anew [D3]", () => {
  expect(archiveLine({ lastArchivedAt: "2026-03-01T11:59:50.000Z" })).toBe("ok, last segment 10 s ago");
  expect(archiveLine({})).toBe("ok, no segment since the server began to count 2 min 0 s ago");
  expect(archiveLine({ failing: true, waiting: 3 })).toBe(
    "failing, no segment since the server began to count 2 min 0 s ago, 3 wait",
  );
});

test("since when any point in time can be restored, and how many older backups there are [C1]", () => {
  const line = (backups: AgentStatus["backups"]) => {
    const status = {
      ...{ folder: "f", backups, problems: [], kept: [], lastRuns: [], queue: { waiting: 0 } },
      nextBackup: NOW.toISOString(),
    };
    return backupLines(status, NOW).find(([name]) => name === "point in time")?.[1];
  };
  const [first, second, third] = [1, 2, 3].map((day) =>
    backupEntry(`2026-02-2${day}T02:00:00.000Z`, { kind: "full", ownEndOnly: day < 3 }),
  ) as [BackupEntry, BackupEntry, BackupEntry];
  expect(line([first, second, third])).toBe(
    "any since 2026-02-23T02:00:00.000Z; 2 older backups as of their own end only",
  );
  expect(line([second, third])).toMatch(/; 1 older backup as of its own end only$/);
  expect(line([third])).toBe("any since 2026-02-23T02:00:00.000Z");
  expect(line([{ ...third, kind: "logical" }, first])).toBeUndefined();
});
