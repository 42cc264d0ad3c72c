import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import type { Backups } from "../../agent/metadata.ts";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { proofProblem } from "../../operations/proven-backup.ts";
import { backupEntry } from "../support/backup-entry.ts";
import { LiveStack } from "../support/security/live-stack.ts";

const BACKUP = { backup: true };

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp(BACKUP);
});

afterAll(() => stack?.project.remove());

async function taken(): Promise<BackupEntry[]> {
  const { entries } = await callAgent<Backups>(stack.target, "list");
  return entries.filter(({ label }) => label === "before change");
}

describe("G5 a backup before a change", () => {
  test("G5 a change that replaces the server is backed up first, and the state names the backup", async () => {
    expect(await taken()).toEqual([]);
    await stack.change({ ...BACKUP, maxConnections: 60 });
    const [entry] = await taken();
    expect(entry?.verification.result).toBe("ok");
    const { stdout } = await stack.project.pulumi(["stack", "export"]);
    const { deployment } = JSON.parse(stdout) as {
      deployment: { resources: { type: string; outputs?: unknown }[] };
    };
    const resource = deployment.resources.find(({ type }) => type.endsWith("pgstack:Backup"));
    expect(resource?.outputs).toMatchObject({
      ...{ backupId: entry?.id, serverVersion: "16.14", verification: "read back: ok" },
      schemaFingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test("G5 a change that replaces nothing is not", async () => {
    await stack.change({ ...BACKUP, maxConnections: 60, workMem: "8MB" });
    expect(await taken()).toHaveLength(1);
  });

  test("G5 a backup that fails: nothing is changed; without it only when told so", async () => {
    const started = await stack.startTime();
    await dockerEngine().getContainer(`${stack.target.container}-agent`).stop();
    await stack.project.configure({ ...BACKUP, maxConnections: 70 });
    const failed = await stack.project.up(["--refresh=false"]);
    expect(failed.code).not.toBe(0);
    expect(failed.output).toMatch(
      /nothing was changed: the backup before this change failed: .*PGSTACK_CHANGE_BACKUP=skip/,
    );
    expect(await stack.startTime()).toBe(started);
    const environment = { PGSTACK_CHANGE_BACKUP: "skip" };
    const skipped = await stack.project.up([], { environment });
    expect(skipped.code, skipped.output).toBe(0);
    expect(await stack.value("current_setting('max_connections')")).toBe("70");
    expect(await taken()).toHaveLength(1);
  });
});

describe("L9 what counts as a proven backup", () => {
  const now = new Date("2026-03-02T12:00:00Z");
  const proven = (at: string, form: "restored" | "read back" = "restored", result: "ok" | "failed" = "ok") =>
    backupEntry(at, { verification: { form, at, result } });
  test.each([
    ["one of an hour ago", [proven("2026-03-02T11:00:00Z")], true],
    ["none at all", [], false],
    ["one of two days ago", [proven("2026-02-28T11:00:00Z")], false],
    ["one that was only read back", [proven("2026-03-02T11:00:00Z", "read back")], false],
    ["one that failed", [proven("2026-03-02T11:00:00Z", "restored", "failed")], false],
  ])("L9 %s", (_, entries, enough) => {
    expect(proofProblem(entries, now) === undefined).toBe(enough);
  });
});
