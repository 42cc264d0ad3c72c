import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import type { AgentStatus } from "../../agent/status.ts";
import { backupLines } from "../../cli/backup-status.ts";

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
