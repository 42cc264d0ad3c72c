import { Command, Option } from "commander";
import { withStackLock } from "../operations/lock/stack.ts";
import type { PreparedCluster, RecoveryTarget } from "../operations/restore.ts";
import { UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { ask, requireAnswer } from "./ask.ts";
import { UsageError } from "./exit-codes.ts";
import { findBackupByName } from "./find-backup.ts";
import { interruptionSignal } from "./interruption.ts";
import { acceptOption, repositoryTimeOf, repositoryTimeOption, stackName, taught } from "./options.ts";
import { harmless, note, printLine, printWarnings, statusText, table } from "./print.ts";
import { StepProgress } from "./progress.ts";
import type { StackWithCredentials } from "./stack.ts";
import { pulumiUp } from "./up.ts";

interface RestoreOptions {
  readonly time?: string;
  readonly name?: string;
  readonly xid?: string;
  readonly lsn?: string;
  readonly latest: boolean;
  readonly timeline?: string;
  readonly repositoryTime?: string;
  readonly resume: boolean;
  readonly undo: boolean;
  readonly forget: boolean;
  readonly yes: boolean;
  readonly accept?: string;
  readonly into?: string;
  readonly environment?: string;
}

/** `pgstack restore`. */
export function restoreCommand(): Command {
  const command = new Command("restore")
    .description(
      "Bring the database back to a backup or a point in time. The present state is backed up first and kept beside the restored one; nothing in use changes before the restored state is made, checked and confirmed.",
    )
    .argument("[backup]", "a backup's id or label")
    .option("--time <time>", "a moment with its zone, such as 2026-03-01T14:30:00Z")
    .option("--name <point>", "a restore point (pgstack restore-point)")
    .option("--xid <id>", "a transaction's end")
    .option("--lsn <place>", "a place in the write-ahead log, such as 0/3000060")
    .option("--latest", "everything that was archived: for a data directory that is damaged", false)
    .option("--timeline <number>", "follow a timeline that a restore has left (pgstack backups names them)")
    .addOption(repositoryTimeOption())
    .option(
      "--resume",
      "end a restore that was interrupted, and take the full backup that one has left owed",
      false,
    )
    .option("--undo", "with --resume: put back the state before, and keep the restored one beside it", false)
    .option(
      "--forget",
      "remove what was kept of the state before a restore (of the one named, else of all)",
      false,
    )
    .option("-y, --yes", "do not ask before the restored state is put in use", false)
    .addOption(acceptOption())
    .option("--into <stack>", "make a new stack of it and leave this one as it is")
    .addOption(
      new Option(
        "--environment <environment>",
        "with --into: what the new stack is for (default: as this one)",
      ).choices([...["development", "test", "staging"]]),
    )
    .action(async (backup: string | undefined, options: RestoreOptions) => {
      const name = stackName(command);
      if (options.undo && !options.resume) throw new UsageError("--undo goes with --resume");
      if (options.into !== undefined && options.timeline !== undefined) {
        throw new UsageError("--timeline does not go with --into: restore in place, or name a backup");
      }
      if (options.environment !== undefined && options.into === undefined) {
        throw new UsageError("--environment goes with --into: a stack's own is pgstack:environment");
      }
      if (options.forget) await forget(name, backup);
      else if (options.resume)
        await withStackLock(PROJECT_DIRECTORY, name, `the end of a restore of stack ${name}`, () =>
          resume(name, options),
        );
      else if (options.into !== undefined)
        await restoreInto(name, chosenTarget(backup, options), options.into, options);
      else {
        const chosen = chosenTarget(backup, options);
        await withStackLock(PROJECT_DIRECTORY, name, `a restore of stack ${name}`, () =>
          restore(name, chosen, options),
        );
      }
    });
  return taught(command, [
    ["pgstack restore --time 2026-03-01T14:30:00Z", "as it was then; asks before it is put in use"],
    ["pgstack restore 20260301-020000F --yes", "as that backup has it, without asking"],
    ["pgstack restore --latest --into clone", "a new stack with the same data; this one stays as it is"],
    [
      "pgstack --stack prod restore --latest --into clone --environment staging",
      "a production stack's data, to look at: production's own backups would have to leave the host",
    ],
    [
      "pgstack restore --latest --repository-time 2026-03-01T14:30:00Z --into clone",
      "from what the object storage held then, when all of it was deleted since",
    ],
    ["pgstack restore --forget", "give back the room of the state before"],
  ]);
}

type Chosen =
  | RecoveryTarget
  | { readonly type: "unknown"; readonly wanted: string; readonly repositoryTime?: string };

function chosenTarget(backup: string | undefined, options: RestoreOptions): Chosen {
  const then = repositoryTimeOf(options);
  const timeline = {
    ...then,
    ...(options.timeline === undefined ? {} : { timeline: timelineNumber(options.timeline) }),
  };
  if (backup !== undefined && options.timeline !== undefined) {
    throw new UsageError(
      "--timeline goes with --time, --name, --xid, --lsn and --latest: a backup has its own",
    );
  }
  const chosen: Chosen[] = [
    ...(backup === undefined ? [] : [{ type: "unknown", wanted: backup, ...then } as const]),
    ...(["time", "name", "xid", "lsn"] as const).flatMap((type) => {
      const value = options[type];
      return value === undefined ? [] : [{ type, value, ...timeline }];
    }),
    ...(options.latest ? [{ type: "latest", ...timeline } as const] : []),
  ];
  const [target, ...more] = chosen;
  if (target === undefined || more.length > 0) {
    throw new UsageError("give one target: a backup, --time, --name, --xid, --lsn or --latest");
  }
  return target;
}

function timelineNumber(given: string): number {
  if (/^[1-9]\d{0,9}$/.test(given)) return Number(given);
  throw new UsageError(`--timeline: expected an integer from 1, not ${JSON.stringify(given)}`);
}

async function restore(name: string, chosen: Chosen, { yes, accept }: RestoreOptions): Promise<void> {
  const { readSetting, readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
  const { audited } = await import("../operations/audit.ts");
  const { requireRestoreAllowed } = await import("../operations/restore/allowed.ts");
  const { proveRestored } = await import("../operations/restore/prove.ts");
  const { restoreInPlace } = await import("../operations/restore.ts");
  const stack = await readStackWithCredentials(name);
  await requireStackEngine(stack);
  requireAnswer(yes, "put the restored state in use");
  const { target, logsDirectory } = stack;
  requireRestoreAllowed(stack.environment, await readSetting(name, "allowRestoreUntil"));
  const wanted = chosen.type === "unknown" ? await targetOf(stack, chosen) : chosen;
  const parameters: Record<string, unknown> = { wanted, ...(accept === undefined ? {} : { accept }) };
  const progress = new StepProgress();
  const result = await audited({ logsDirectory, stack: name }, "restore", parameters, async () => {
    try {
      const restored = await restoreInPlace(target, wanted, {
        onStep: progress.onStep,
        signal: interruptionSignal(),
        ...(accept === undefined ? {} : { accept }),
        confirm: (prepared) => confirmPrepared(name, prepared, yes, progress),
        prove: () => proveRestored(target, Object.values(stack.roles)),
      });
      const { problems, lsn } = restored.prepared;
      Object.assign(parameters, { id: restored.id, done: restored.done, lsn, problems });
      return restored;
    } finally {
      progress.end();
    }
  });
  if (!result.done) {
    printLine("Nothing was changed.");
    return;
  }
  await conclude(name, stack, result);
}

/** What follows on a restored cluster that is in use. */
async function conclude(
  name: string,
  { target }: StackWithCredentials,
  { id, safetyBackup }: { readonly id: string; readonly safetyBackup?: string },
): Promise<void> {
  const { beginChain } = await import("../operations/restore/chain.ts");
  const progress = new StepProgress();
  const chain = await beginChain(target, { onStep: progress.onStep, takenToo: true });
  progress.end();
  note("pulumi up brings roles, grants and settings to what the stack declares:");
  const exitCode = await pulumiUp(name);
  printLine(`
Restored (${id}). The state before is kept in the data volume${safetyBackup === undefined ? "" : `, and as backup ${safetyBackup}`}:
pgstack restore --forget ${id} gives its room back. ${chain}`);
  if (exitCode !== 0)
    throw new UserError(`pulumi up failed (exit code ${exitCode}): run it again, the data is restored`);
}

async function confirmPrepared(
  name: string,
  prepared: PreparedCluster,
  yes: boolean,
  progress: StepProgress,
): Promise<boolean> {
  progress.end();
  printPrepared(prepared);
  return yes || (await ask(`Put this in use in stack ${name}? The server stops for some seconds. [y/N] `));
}

async function restoreInto(
  name: string,
  chosen: Chosen,
  into: string,
  { accept, environment }: RestoreOptions,
): Promise<void> {
  const { readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
  const { restoreIntoNewStack } = await import("./restore-into.ts");
  const stack = await readStackWithCredentials(name);
  if ((environment ?? stack.environment) === "production") {
    throw new UserError(
      `nothing was made: the backups of a production stack must leave the host, and ${into} would have no pgstack:backupS3, as that of ${name} is for ${name} alone. Give --environment staging, or write Pulumi.${into}.yaml with a pgstack:backupS3 of its own and pgstack:restore (docs/backup.md, "Restore into a new stack")`,
    );
  }
  await requireStackEngine(stack);
  const wanted = chosen.type === "unknown" ? await targetOf(stack, chosen) : chosen;
  const changes = environment === undefined ? {} : { environment };
  await restoreIntoNewStack(name, stack, wanted, into, { accept, changes });
}

/** A dump is restored by another way than the cluster's files. */
async function targetOf(
  { target }: StackWithCredentials,
  { wanted, repositoryTime }: Chosen & { readonly type: "unknown" },
): Promise<RecoveryTarget> {
  const then = repositoryTime === undefined ? {} : { repositoryTime };
  const entry = await findBackupByName(target, wanted, then);
  if (entry.kind === "logical") {
    throw new UserError(`${entry.id} is a dump: pgstack restore-dump ${entry.id} restores it`);
  }
  return { type: "backup", id: entry.id, ...then };
}

function printPrepared({ backup, lsn, lastCommitAt, tables, problems, warnings }: PreparedCluster): void {
  printLine(`The state to be restored is made and checked, from backup ${backup}:`);
  for (const problem of problems) printLine(`  ${statusText("failed")}        ${harmless(problem)}`);
  printWarnings(warnings);
  printLine(`  last commit   ${lastCommitAt ?? "none after the backup"}`);
  printLine(`  LSN           ${lsn}`);
  const shown = tables.slice(0, 20).map(({ table: one, rows }) => [`  ${harmless(one)}`, `${rows} rows`]);
  if (shown.length > 0) printLine(table(shown).trimEnd());
  if (tables.length > shown.length) printLine(`  and ${tables.length - shown.length} more tables`);
}

async function resume(name: string, { yes, accept, undo }: RestoreOptions): Promise<void> {
  const { readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
  const { audited } = await import("../operations/audit.ts");
  const { proveRestored } = await import("../operations/restore/prove.ts");
  const { resumeRestore } = await import("../operations/restore.ts");
  const stack = await readStackWithCredentials(name);
  await requireStackEngine(stack);
  const { logsDirectory, target } = stack;
  const progress = new StepProgress();
  if (accept !== undefined) requireAnswer(yes, "put the restored state in use");
  const parameters: Record<string, unknown> = accept === undefined ? {} : { accept };
  const ended = await audited({ logsDirectory, stack: name }, "restore.resume", parameters, async () => {
    try {
      const found = await resumeRestore(target, {
        onStep: progress.onStep,
        undo,
        ...(accept === undefined ? {} : { accept }),
        confirm: (prepared) => confirmPrepared(name, prepared, yes, progress),
        prove: () => proveRestored(target, Object.values(stack.roles)),
      });
      Object.assign(parameters, found);
      return found;
    } finally {
      progress.end();
    }
  });
  if (ended?.accepted === true) return await conclude(name, stack, ended);
  const chain = ended?.state === "before" ? "" : await takeOwed(target, ended !== undefined);
  if (ended === undefined) printLine(`No restore was interrupted. ${chain}`.trimEnd());
  else if (ended.state === "before")
    printLine(`Restore ${ended.id} is undone: the database is as it was before it.`);
  else printLine(`Restore ${ended.id} is finished: the restored database is in use. ${chain} Run pulumi up.`);
}

async function takeOwed(target: StackWithCredentials["target"], takenToo: boolean): Promise<string> {
  const { beginChain } = await import("../operations/restore/chain.ts");
  const progress = new StepProgress();
  try {
    return await beginChain(target, { onStep: progress.onStep, takenToo });
  } finally {
    progress.end();
  }
}

async function forget(name: string, id: string | undefined): Promise<void> {
  const { openStack } = await import("./stack.ts");
  const { audited } = await import("../operations/audit.ts");
  const { forgetPrevious } = await import("../operations/restore.ts");
  const stack = await openStack(name);
  const parameters: Record<string, unknown> = {};
  const { logsDirectory, target } = stack;
  const gone = await audited({ logsDirectory, stack: name }, "restore.forget", parameters, async () => {
    const removed = await forgetPrevious(target, id);
    parameters.removed = removed;
    return removed;
  });
  printLine(gone.length === 0 ? "Nothing was kept." : `Removed what was kept of ${gone.join(", ")}.`);
}
