import type { AgentConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { type BackupEntry, entryKey, isGood, noted, type Verification } from "./entry.ts";
import { messageOf, Refusal } from "./failure.ts";
import { oweBackup } from "./lineage/owed.ts";
import { verifyLogical, verifyLogicalDeep } from "./logical/verify.ts";
import { readBackups, writeMetadata } from "./metadata.ts";
import { verifyPhysical, verifyPhysicalDeep } from "./physical/verify.ts";
import type { Outcome } from "./verification/outcome.ts";

/** What is to be verified. */
export interface VerifyRequest {
  /** Default: the newest. */
  readonly id?: string;
  readonly all?: boolean;
  /** Restore into a throw-away cluster, too. */
  readonly deep?: boolean;
}

/** How one backup was found. */
export interface VerifyResult {
  readonly entry: BackupEntry;
  readonly problems: readonly string[];
  /** What was so at the source already. */
  readonly warnings: readonly string[];
}

/** Verifies backups and enters what was found. To be called under the lock. */
export async function verify(
  configuration: AgentConfiguration,
  request: VerifyRequest,
  context: Context,
): Promise<VerifyResult[]> {
  const { entries } = await readBackups(configuration, context);
  const chosen = choose(entries, request);
  const verifications = new Map<string, Verification>();
  const results: VerifyResult[] = [];
  for (const [index, entry] of chosen.entries()) {
    context.step(`verifying ${entry.id}`, index / chosen.length);
    const { problems, warnings } = await look(configuration, entry, request.deep === true, context);
    verifications.set(entryKey(entry), {
      form: request.deep === true ? "restored" : "read back",
      at: new Date().toISOString(),
      result: problems.length === 0 ? "ok" : "failed",
      ...(problems.length === 0 ? {} : { message: problems.slice(0, 3).join("; ") }),
      ...noted(warnings),
    });
    results.push({ entry, problems, warnings });
  }
  const failed = results.findLast(
    ({ entry: { kind, abandoned }, problems }) =>
      kind === "full" && abandoned !== true && problems.length > 0,
  );
  if (failed !== undefined) {
    await oweBackup(configuration, `verification of ${failed.entry.id}, which failed`, context);
  }
  const { entries: written } = await writeMetadata(configuration, context, (entry) =>
    verifications.get(entryKey(entry)),
  );
  return results.map((result) => ({
    ...result,
    entry: written.find((entry) => entryKey(entry) === entryKey(result.entry)) ?? result.entry,
  }));
}

function choose(entries: readonly BackupEntry[], { id, all }: VerifyRequest): readonly BackupEntry[] {
  if (all === true) return entries;
  if (id === undefined) {
    const newest = entries.at(-1);
    if (newest === undefined) throw new Refusal("there is no backup to verify: pgstack backup takes one");
    return [newest];
  }
  return [findBackup(entries, id)];
}

/** A backup by its id or its label, the newest of that label. @throws Refusal that names the newest good one. */
export function findBackup(entries: readonly BackupEntry[], wanted: string): BackupEntry {
  const found = entries.find(({ id }) => id === wanted) ?? entries.findLast(({ label }) => label === wanted);
  if (found !== undefined) return found;
  const newest = entries.findLast(isGood);
  throw new Refusal(
    `there is no backup ${JSON.stringify(wanted)}${newest === undefined ? "" : `; the newest good one is ${newest.id}`}: pgstack backups lists them`,
  );
}

async function look(
  configuration: AgentConfiguration,
  entry: BackupEntry,
  deep: boolean,
  context: Context,
): Promise<Outcome> {
  try {
    if (entry.kind === "logical" && deep) return await verifyLogicalDeep(configuration, entry.id, context);
    const problems =
      entry.kind === "logical"
        ? await verifyLogical(configuration, entry.id, context)
        : await verifyPhysical(configuration, entry, context);
    if (deep && problems.length === 0) return await verifyPhysicalDeep(configuration, entry, context);
    return { problems, warnings: (entry.findings ?? []).map(({ message }) => message) };
  } catch (error) {
    context.signal.throwIfAborted();
    return { problems: [messageOf(error)], warnings: [] };
  }
}
