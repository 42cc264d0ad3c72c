import type { BackupEntry } from "../agent/entry.ts";
import type { Target } from "../operations/target.ts";
import { errorLine, UserError } from "../operations/user-error.ts";

/** A backup by its id or label. @throws UserError that names the newest good one. */
export async function findBackupByName(
  target: Target,
  wanted: string,
  then: { readonly repositoryTime?: string } = {},
): Promise<BackupEntry> {
  const { callAgent } = await import("../operations/agent.ts");
  const { findBackup } = await import("../agent/verify.ts");
  const { entries } = await callAgent<{ entries: BackupEntry[] }>(target, "list", then);
  try {
    return findBackup(entries, wanted);
  } catch (error) {
    throw new UserError(errorLine(error), { cause: error });
  }
}
