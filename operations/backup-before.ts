import type { BackupEntry } from "../agent/entry.ts";
import { type AgentCall, agentContainer, callAgent } from "./agent.ts";
import { dockerEngine, findContainer } from "./docker.ts";
import { heldOr } from "./held.ts";
import { requireProvenBackup } from "./proven-backup.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

/** Set to `skip`, a change goes without a backup before it: for a stack that the change is to mend. */
const VARIABLE = "PGSTACK_CHANGE_BACKUP";
/** Seconds to wait for a backup that is at work. */
const WAIT_SECONDS = 3_600;

/** What is about to happen. */
export interface Change {
  readonly label: string;
  /** Production changes only with a backup that was proven within a day. */
  readonly requireProof: boolean;
}

/** Takes an incremental backup under a label; waits for one that is at work. */
export async function backUpIncrementally(
  target: Target,
  label: string,
  call: AgentCall = {},
): Promise<BackupEntry | undefined> {
  const request = { kind: "incremental", label, waitSeconds: WAIT_SECONDS };
  return (await callAgent<BackupEntry[]>(target, "backup", request, call))[0];
}

/**
 * Takes a backup before a change that replaces the server.
 *
 * @returns The backup; undefined where there is nothing to be backed up yet, or the user goes without.
 * @throws UserError when it cannot be taken: then nothing was changed.
 */
export async function backUpBefore(target: Target, change: Change): Promise<BackupEntry | undefined> {
  if (process.env[VARIABLE] === "skip") return undefined;
  const docker = dockerEngine(target.dockerHost);
  const [server, agent] = await Promise.all([
    findContainer(docker, target.container),
    findContainer(docker, agentContainer(target.container)),
  ]);
  // A first up, and one that turns backups on.
  if (server === undefined || agent === undefined) return undefined;
  try {
    const entry = await backUpIncrementally(target, change.label);
    if (change.requireProof) await requireProvenBackup(target);
    return entry;
  } catch (error) {
    throw new UserError(
      `nothing was changed: the backup before this change failed: ${await heldOr(target, error)}. Mend that, or, where the change is to mend the server, go without: ${VARIABLE}=skip pulumi up`,
      { cause: error },
    );
  }
}
