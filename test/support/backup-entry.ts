import type { BackupEntry } from "../../agent/entry.ts";

/** A good backup of a moment; the rest as it may be. */
export function backupEntry(finishedAt: string, more: Partial<BackupEntry> = {}): BackupEntry {
  return {
    id: more.id ?? `b${finishedAt}`,
    kind: "logical",
    startedAt: finishedAt,
    finishedAt,
    bytes: 1,
    serverVersion: "16.14",
    systemIdentifier: "1",
    repositories: ["local"],
    encrypted: false,
    verification: { form: "read back", at: finishedAt, result: "ok" },
    ...more,
  };
}

/** The same, found to be damaged. */
export function badEntry(finishedAt: string, more: Partial<BackupEntry> = {}): BackupEntry {
  const verification = { form: "read back", at: finishedAt, result: "failed", message: "torn" } as const;
  return backupEntry(finishedAt, { verification, ...more });
}
