import type { BackupEntry } from "../agent/entry.ts";
import { callAgent } from "./agent.ts";
import { audited } from "./audit.ts";
import { heldOr } from "./held.ts";
import { requireProvenBackup } from "./proven-backup.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

/** Set to `skip`, a stack goes without a last backup: for one that cannot be backed up any more. */
const VARIABLE = "PGSTACK_FINAL_BACKUP";
/** Seconds to wait for a backup that is at work. */
const WAIT_SECONDS = 3_600;

/**
 * Takes the last backup of a stack that is about to go.
 *
 * @throws UserError when it cannot be taken: then nothing may go.
 */
export async function backUpLast(
  target: Target,
  { logsDirectory, requireProof }: { readonly logsDirectory: string; readonly requireProof: boolean },
): Promise<void> {
  if (process.env[VARIABLE] === "skip") return;
  const parameters: Record<string, unknown> = {};
  await audited({ logsDirectory, stack: target.stack }, "backup.final", parameters, async () => {
    try {
      const request = { kind: "incremental", label: "final", waitSeconds: WAIT_SECONDS };
      const entries = await callAgent<BackupEntry[]>(target, "backup", request);
      parameters.backups = entries.map(({ id }) => id);
      if (requireProof) await requireProvenBackup(target);
    } catch (error) {
      throw new UserError(
        `nothing was removed: the final backup failed: ${await heldOr(target, error)}. Mend that, or go without one: ${VARIABLE}=skip pulumi destroy`,
        { cause: error },
      );
    }
  });
}
