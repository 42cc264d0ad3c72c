import type { BackupEntry } from "../../agent/entry.ts";
import { type AgentCall, callAgent } from "../agent.ts";
import type { Target } from "../target.ts";
import { errorLine } from "../user-error.ts";

/** Begins a new chain of backups after a restore; what went before leads elsewhere. @returns A sentence about it. */
export async function beginChain(target: Target, call: AgentCall = {}): Promise<string> {
  try {
    const request = { kind: "full", label: "after restore", waitSeconds: 600 };
    const [entry] = await callAgent<BackupEntry[]>(target, "backup", request, call);
    return `A new chain of backups begins with ${entry?.id}.`;
  } catch (error) {
    return `A new chain of backups could not begin (${errorLine(error)}): run pgstack backup --kind full.`;
  }
}
