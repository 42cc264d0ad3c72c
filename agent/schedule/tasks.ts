import { backup } from "../backup.ts";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { drill } from "../drill.ts";
import { type BackupEntry, isGood } from "../entry.ts";
import { messageOf } from "../failure.ts";
import { readBackups } from "../metadata.ts";
import { prune } from "../prune.ts";
import { proveDump } from "./proof.ts";

const DAY_MILLISECONDS = 86_400_000;

/**
 * The scheduled backup: a logical and a physical one, and then what retention lets go. One of the two that fails does
 * not keep the other from being taken; nothing is removed then. At the end the dump is restored for proof.
 *
 * @returns What was done, in words.
 */
export async function scheduledBackup(configuration: AgentConfiguration, context: Context): Promise<string> {
  const { entries } = await readBackups(configuration, context);
  const kinds = ["logical", physicalKind(entries, configuration.physical.fullDays, new Date())] as const;
  const taken: string[] = [];
  let dump: string | undefined;
  const failures: string[] = [];
  for (const kind of kinds) {
    try {
      for (const { id } of await backup(configuration, { kind }, context)) {
        taken.push(`${kind} ${id}`);
        if (kind === "logical") dump = id;
      }
    } catch (error) {
      context.signal.throwIfAborted();
      failures.push(`${kind}: ${messageOf(error)}`);
    }
  }
  if (failures.length > 0) throw new Error(`${failures.join("; ")} (taken: ${taken.join(", ") || "none"})`);
  const gone = (await prune(configuration, { dryRun: false }, context)).filter(({ kept }) => !kept);
  const done = `taken: ${taken.join(", ")}; removed: ${gone.map(({ entry }) => entry.id).join(", ") || "none"}`;
  return dump === undefined ? done : `${done}; ${await proveDump(configuration, dump, context)}`;
}

/** The scheduled proof that the database can be restored. */
export async function scheduledDrill(configuration: AgentConfiguration, context: Context): Promise<string> {
  const { entries } = await readBackups(configuration, context);
  if (!entries.some((entry) => entry.kind !== "logical" && entry.abandoned !== true && isGood(entry))) {
    throw new Error("there is no physical backup to restore yet");
  }
  const { result, message, backup: from, rtoSeconds, rpoSeconds } = await drill(configuration, context);
  if (result === "failed") throw new Error(message ?? "the drill failed");
  return `restored ${from} in ${rtoSeconds?.toFixed(1)} s (RTO); commits not in the backup place: ${rpoSeconds?.toFixed(1) ?? "?"} s (RPO)`;
}

/** A full one where the last is not good, none is on the stack's timelines, or it is older than it should be. */
export function physicalKind(
  entries: readonly BackupEntry[],
  fullDays: number,
  now: Date,
): "full" | "incremental" {
  const newest = entries.findLast(({ kind, abandoned }) => kind === "full" && abandoned !== true);
  if (newest === undefined || !isGood(newest)) return "full";
  // A run of the same minute a week later must find it old enough.
  const age = now.getTime() - Date.parse(newest.startedAt) + 3_600_000;
  return age >= fullDays * DAY_MILLISECONDS ? "full" : "incremental";
}
