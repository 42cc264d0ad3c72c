import type { BackupEntry } from "../../agent/entry.ts";
import { type AgentCall, callAgent } from "../agent.ts";
import type { Target } from "../target.ts";
import { errorLine } from "../user-error.ts";

/**
 * Takes the full backup that a restore leaves owed: the base of the timeline that it began. Where it can't be had now, the
 * agent goes on trying.
 *
 * @param options.takenToo Tells of the one as well that the agent has taken by itself before it was asked.
 * @returns A sentence about it; empty when none was owed.
 */
export async function beginChain(
  target: Target,
  { takenToo, ...call }: AgentCall & { readonly takenToo: boolean },
): Promise<string> {
  try {
    const parameters = { waitSeconds: 600, takenToo };
    const entry = await callAgent<BackupEntry | null>(target, "backup-owed", parameters, call);
    return entry === null ? "" : `A new chain of backups begins with ${entry.id}.`;
  } catch (error) {
    return `A full backup is owed (${errorLine(error)}): the agent goes on trying, and pgstack restore --resume takes it.`;
  }
}
