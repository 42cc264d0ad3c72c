import type { BackupEntry } from "../agent/entry.ts";
import type { Backups } from "../agent/metadata.ts";
import { callAgent } from "./agent.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

const HOURS = 24;

/**
 * Refuses where no backup was proven by a restore within a day.
 *
 * @throws UserError that says how to prove one.
 */
export async function requireProvenBackup(target: Target): Promise<void> {
  const { entries } = await callAgent<Backups>(target, "list");
  const problem = proofProblem(entries, new Date());
  if (problem !== undefined) throw new UserError(problem);
}

/** Why there is no such backup; undefined when there is one. */
export function proofProblem(entries: readonly BackupEntry[], now: Date): string | undefined {
  const proofs = entries
    .filter(({ verification }) => verification.form === "restored" && verification.result === "ok")
    .map(({ verification }) => Date.parse(verification.at));
  const last = Math.max(...proofs);
  if (now.getTime() - last <= HOURS * 3_600_000) return undefined;
  const state = proofs.length === 0 ? "none was" : `the last was ${new Date(last).toISOString()}`;
  return `production needs a backup that a restore has proven within ${HOURS} hours, and ${state}: pgstack drill proves the newest`;
}
