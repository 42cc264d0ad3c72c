import { readFile } from "node:fs/promises";
import type { StorageKeys } from "../agent/storage/access.ts";
import type { PurgeResult } from "../operations/storage-purge.ts";
import { UserError } from "../operations/user-error.ts";
import { ask, requireAnswer } from "./ask.ts";
import { UsageError } from "./exit-codes.ts";
import { interruptionSignal } from "./interruption.ts";
import { formatBytes, note, printJson, printLine } from "./print.ts";
import { withProgress } from "./progress.ts";

/** Variables with the keys, for this one call. */
const VARIABLES = ["PGSTACK_PURGE_KEY", "PGSTACK_PURGE_SECRET"] as const;

interface PurgeOptions {
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly keys?: string;
  readonly yes: boolean;
}

/** `pgstack backups --purge-versions`: shows what goes, asks, and removes it for good. */
export async function purgeVersions(
  name: string,
  { json, dryRun, keys: file, yes }: PurgeOptions,
): Promise<void> {
  const { openStack } = await import("./stack.ts");
  const { audited } = await import("../operations/audit.ts");
  const { readProtection } = await import("../operations/storage-protection.ts");
  const { withPurge } = await import("../operations/storage-purge.ts");
  const keys = await readKeys(file);
  if (!dryRun) requireAnswer(yes, "remove them");
  const { target, logsDirectory } = await openStack(name);
  const protection = await readProtection(target);
  if (protection === undefined)
    throw new UserError(`stack ${name} keeps no versions: pgstack:backupS3 has no protection`);
  const { days, bucket } = protection;
  await withPurge(target, { days, keys }, async (purge) => {
    const signal = interruptionSignal();
    const found = await withProgress((onStep) => purge(undefined, { onStep, signal }));
    if (dryRun || found.versions === 0) return show(found, { json, bucket, done: false });
    note(describe(found, bucket));
    if (!yes && !(await ask("Remove them for good? Nothing brings them back. [y/N] "))) {
      printLine("Nothing was changed.");
      return;
    }
    const parameters: Record<string, unknown> = { bucket, days, before: found.before };
    const done = await audited(
      { logsDirectory, stack: name },
      "backup.purge-versions",
      parameters,
      async () => {
        const result = await withProgress((onStep) => purge(found.before, { onStep, signal }));
        const { versions, refused, backups } = result;
        Object.assign(parameters, { versions: versions - refused, refused, backups });
        return result;
      },
    );
    show(done, { json, bucket, done: true });
  });
}

function show(
  result: PurgeResult,
  { json, bucket, done }: { readonly json: boolean; readonly bucket: string; readonly done: boolean },
): void {
  if (json) printJson(result);
  else if (result.versions === 0)
    printLine(`Nothing in bucket ${bucket} was deleted before ${result.before}.`);
  else if (!done) printLine(describe(result, bucket));
  else {
    const { versions, refused, reason = "" } = result;
    const left = refused === 0 ? "" : `; the storage kept ${refused} (${reason})`;
    printLine(`Removed ${versions - refused} versions from bucket ${bucket}${left}.`);
  }
}

function describe({ versions, bytes, before, backups }: PurgeResult, bucket: string): string {
  const gone = backups.length === 0 ? "" : `\nBackups that are then gone for good: ${backups.join(", ")}`;
  return `${versions} versions in bucket ${bucket} (${formatBytes(bytes)}) were deleted or overwritten before ${before}.${gone}`;
}

/** @throws UsageError that says where the keys are looked for. */
async function readKeys(file: string | undefined): Promise<StorageKeys> {
  const ofEnvironment = VARIABLES.map((name) => process.env[name]);
  // Not for the programs that are started from here.
  for (const name of VARIABLES) delete process.env[name];
  const given =
    file === undefined
      ? ofEnvironment
      : (await readFile(file, "utf8").catch((error: unknown) => refuseFile(file, error))).split("\n");
  const [key = "", secret = ""] = given.map((one) => one?.trim());
  if (key !== "" && secret !== "") return { key, secret };
  throw new UsageError(
    `give the keys of somebody who may delete versions, in ${VARIABLES.join(" and ")} or, a line each, in the file that --keys names`,
  );
}

function refuseFile(file: string, error: unknown): never {
  throw new UsageError(`--keys ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
}
