import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { isCode, Refusal } from "../failure.ts";
import { writeWhole } from "../files.ts";
import { storageAccess } from "./access.ts";
import { checkProtection, type Protection, type ProtectionState } from "./protection.ts";
import { StorageAway } from "./request.ts";

/** What was found last, in the backup folder. */
export const PROTECTION_FILE = "state/storage-protection.json";
/** So long a good look counts: each one is some requests that the storage refuses, which those who watch over it see. */
const GOOD_SECONDS = 3_600;
/** So long one counts that was not: an agent that is refused tries each second. */
const REFUSED_SECONDS = 30;

/** Looks how the bucket protects the backups, and notes it; undefined: the settings ask for nothing. */
export async function lookAtProtection(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<ProtectionState | undefined> {
  const found = await checkProtection(configuration, context);
  if (found === undefined) return undefined;
  await writeWhole(recordFile(configuration), `${JSON.stringify(found)}\n`).catch((error: unknown) => {
    // Another look has just put its own in the place.
    if (!isCode(error, "ENOENT")) throw error;
  });
  return found;
}

/** As {@link lookAtProtection}, unless the last look was good and not long ago. */
export async function lookAgain(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<ProtectionState | undefined> {
  const { protection } = configuration.physical;
  if (protection === undefined) return undefined;
  const last = await lastLook(configuration, protection);
  const counts = last?.problems.length === 0 && isRecent(last, GOOD_SECONDS);
  return counts ? last : lookAtProtection(configuration, context);
}

/**
 * Refuses to begin a repository in a bucket that does not protect it as the settings say. One that is away is not asked, nor
 * one that was found to do so before.
 *
 * @throws Refusal with what is not so.
 */
export async function requireProtection(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<void> {
  const { protection } = configuration.physical;
  if (protection === undefined) return;
  const last = await lastLook(configuration, protection);
  if (last?.problems.length === 0) return;
  if (last !== undefined && isRecent(last, REFUSED_SECONDS)) throw new Refusal(notProtected(last));
  const found = await lookAtProtection(configuration, context).catch((error: unknown) => {
    if (!(error instanceof StorageAway)) throw error;
    return undefined;
  });
  if (found !== undefined && found.problems.length > 0) throw new Refusal(notProtected(found));
}

function isRecent({ at }: ProtectionState, seconds: number): boolean {
  const age = Date.now() - Date.parse(at);
  return age >= 0 && age < seconds * 1_000;
}

/** What is wrong, in a sentence with the setting. */
export function notProtected({ mode, problems }: Pick<ProtectionState, "mode" | "problems">): string {
  return `pgstack:backupS3.protection is ${mode}, but ${problems.join("; ")}`;
}

/** The last look, where it was at the same place for the same. */
async function lastLook(
  configuration: AgentConfiguration,
  { mode, days }: Protection,
): Promise<ProtectionState | undefined> {
  const [text, { bucket, prefix }] = await Promise.all([
    readFile(recordFile(configuration), "utf8").catch(() => ""),
    storageAccess(configuration),
  ]);
  let last: ProtectionState;
  try {
    last = JSON.parse(text) as ProtectionState;
  } catch {
    return undefined;
  }
  const isSame = last.mode === mode && last.days === days && last.bucket === bucket && last.prefix === prefix;
  return isSame ? last : undefined;
}

function recordFile({ backupDirectory }: AgentConfiguration): string {
  return join(backupDirectory, PROTECTION_FILE);
}
