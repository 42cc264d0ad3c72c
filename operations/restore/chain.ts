import type { BackupEntry } from "../../agent/entry.ts";
import { type AgentCall, callAgent } from "../agent.ts";
import type { Target } from "../target.ts";
import { errorLine } from "../user-error.ts";

/**
 * Takes the full backup that a restore leaves owed: the base of the timeline that it began. Where it can't be had now, the
 * agent goes on trying.
 *
 * @returns A sentence about it; empty when none was owed.
 */
export async function beginChain(target: Target, call: AgentCall = {}): Promise<string> {
  try {
    const entry = await callAgent<BackupEntry | null>(target, "backup-owed", { waitSeconds: 600 }, call);
    return entry === null ? "" : `A new chain of backups begins with ${entry.id}.`;
  } catch (error) {
    return `A full backup is owed (${errorLine(error)}): the agent goes on trying, and pgstack restore --resume takes it.`;
  }
}
