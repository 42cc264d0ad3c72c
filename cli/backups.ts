import { Command } from "commander";
import type { BackupEntry } from "../agent/entry.ts";
import { newestOfEach } from "../agent/entry.ts";
import { describePointsInTime, pointsInTime } from "../agent/point-in-time.ts";
import type { Fate } from "../agent/retention.ts";
import { REPLACE_LOST, UNKNOWN_FOLDER } from "../operations/health/backup-folder.ts";
import { UserError } from "../operations/user-error.ts";
import { ask, requireAnswer } from "./ask.ts";
import { backupTable, sourceWarnings } from "./backup-table.ts";
import { UsageError } from "./exit-codes.ts";
import { interruptionSignal } from "./interruption.ts";
import { jsonOption, repositoryTimeOf, repositoryTimeOption, stackName, taught } from "./options.ts";
import { harmless, note, printJson, printLine, printWarnings, table } from "./print.ts";
import { withProgress } from "./progress.ts";
import type { Stack } from "./stack.ts";

interface BackupsOptions {
  readonly json: boolean;
  readonly prune: boolean;
  readonly dryRun: boolean;
  readonly showKey: boolean;
  readonly replaceLost: boolean;
  readonly repositoryTime?: string;
  readonly protection: boolean;
  readonly purgeVersions: boolean;
  readonly keys?: string;
  readonly yes: boolean;
}

/** `pgstack backups`. */
export function backupsCommand(): Command {
  const command = new Command("backups")
    .description("List the backups; remove those that retention does not keep.")
    .addOption(jsonOption())
    .option("--prune", "remove what retention does not keep, as the schedule does", false)
    .option("--dry-run", "with --prune: only tell what would go, and why", false)
    .option("--show-key", "print what backups are encrypted with, to keep a copy elsewhere", false)
    .option(REPLACE_LOST, "give up the backups of a volume that is gone: make an empty one", false)
    .addOption(repositoryTimeOption())
    .option(
      "--protection",
      "look whether the object storage keeps what is deleted, and print the policy and the lifecycle rule for its bucket",
      false,
    )
    .option(
      "--purge-versions",
      "remove from the object storage what was deleted longer ago than it is kept, with keys that may (PGSTACK_PURGE_KEY and PGSTACK_PURGE_SECRET)",
      false,
    )
    .option("--keys <file>", "with --purge-versions: file with the two keys, a line each")
    .option("--yes", `with ${REPLACE_LOST} and --purge-versions: do not ask`, false)
    .action(async (options: BackupsOptions) => {
      if (options.keys !== undefined && !options.purgeVersions)
        throw new UsageError("--keys goes with --purge-versions");
      if (options.showKey) await showKey(stackName(command));
      else if (options.protection) {
        const { showProtection } = await import("./storage-protection.ts");
        await showProtection(stackName(command), options.json);
      } else if (options.purgeVersions) {
        const { purgeVersions } = await import("./purge-versions.ts");
        await purgeVersions(stackName(command), options);
      } else if (options.replaceLost) await replaceLost(stackName(command), options.yes);
      else if (options.prune || options.dryRun) await pruneBackups(stackName(command), options);
      else await list(stackName(command), options);
    });
  return taught(command, [
    ["pgstack backups", "all of them, with age, size and how they were verified"],
    ["pgstack backups --repository-time 2026-03-01T14:30:00Z", "those in the object storage, as it was then"],
    ["pgstack backups --prune --dry-run", "what the next scheduled run would remove, and why"],
  ]);
}

async function list(name: string, { json, ...options }: BackupsOptions): Promise<void> {
  const then = repositoryTimeOf(options);
  const { openStack } = await import("./stack.ts");
  const { callAgent } = await import("../operations/agent.ts");
  const stack = await openStack(name);
  const { entries, problems } = await callAgent<{ entries: BackupEntry[]; problems: string[] }>(
    stack.target,
    "list",
    then,
  );
  const pointInTimeSince = pointsInTime(entries)?.from ?? null;
  const points = describePointsInTime(entries);
  if (json) printJson({ backups: entries, pointInTimeSince, problems });
  else if (entries.length === 0 && then.repositoryTime !== undefined)
    printLine(`The object storage held no backup at ${then.repositoryTime}.`);
  else if (entries.length === 0) printLine("There is no backup yet: pgstack backup takes one.");
  else {
    printLine(backupTable(entries, new Date()).trimEnd());
    if (points !== undefined) printLine(`\nPoints in time that can be restored: ${points}.`);
    printWarnings(sourceWarnings(newestOfEach(entries)));
  }
  for (const problem of problems) note(`pgstack: ${harmless(problem)}`);
  if (problems.length > 0) process.exitCode = 1;
}

async function pruneBackups(name: string, { json, dryRun }: BackupsOptions): Promise<void> {
  const { openStack } = await import("./stack.ts");
  const { callAgent } = await import("../operations/agent.ts");
  const { audited } = await import("../operations/audit.ts");
  const stack = await openStack(name);
  const { target, logsDirectory } = stack;
  const signal = interruptionSignal();
  const parameters: Record<string, unknown> = {};
  const prune = () =>
    withProgress((onStep) => callAgent<Fate[]>(target, "prune", { dryRun }, { onStep, signal }));
  const fates = dryRun
    ? await prune()
    : await audited({ logsDirectory, stack: target.stack }, "backup.prune", parameters, async () => {
        const found = await prune();
        parameters.removed = found.filter(({ kept }) => !kept).map(({ entry }) => entry.id);
        return found;
      });
  if (json) {
    printJson(fates.map(({ entry, kept, reason }) => ({ id: entry.id, kind: entry.kind, kept, reason })));
    return;
  }
  const going = dryRun ? "would go" : "removed";
  const rows = fates.map(({ entry, kept, reason }) => [kept ? "kept" : going, entry.id, entry.kind, reason]);
  printLine(rows.length === 0 ? "There is no backup." : table(rows).trimEnd());
}

async function showKey(name: string): Promise<void> {
  const { readBackupKey } = await import("./stack.ts");
  printLine(await readBackupKey(name));
}

async function replaceLost(name: string, yes: boolean): Promise<void> {
  const { openStack } = await import("./stack.ts");
  const { callAgent } = await import("../operations/agent.ts");
  const { audited } = await import("../operations/audit.ts");
  const { replaceLostVolume, whatIsLost } = await import("../operations/lost-backups.ts");
  const stack = await openStack(name);
  const { dataVolume, image, logsDirectory, target } = stack;
  const { volume, folder } = await lostOf(name, stack);
  const lost = { target, volume, folder };
  const what = await whatIsLost(lost);
  requireAnswer(yes, "give the lost backups up");
  const where = volume === undefined ? "the backup folder" : `volume ${volume}`;
  const question = `Give up every backup that was in ${where}, and the log archived there? No moment before the next full backup can be restored from it any more. [y/N] `;
  if (!yes && !(await ask(question))) {
    printLine("Nothing was changed.");
    return;
  }
  const parameters = { what, ...(volume && { volume }), ...(folder && { folder }) };
  await audited({ logsDirectory, stack: name }, "backup.replace-lost", parameters, async () => {
    if (what === "volume" && volume !== undefined)
      await replaceLostVolume(lost, volume, { dataVolume, image: image?.pinned ?? "" });
    else await callAgent(target, "replace-folder", { replaces: folder ?? UNKNOWN_FOLDER });
  });
  printLine(`What was in ${where} is given up. pulumi up goes on, and the agent takes a full backup.`);
}

/** Where the backups were; a stack that was brought up before it told goes by its settings. */
async function lostOf(name: string, stack: Stack): Promise<{ volume?: string; folder?: string }> {
  const { backupSchedule, backupVolume, backupFolder } = stack;
  if (backupSchedule === undefined)
    throw new UserError(`stack ${name} has no backups: pgstack:backup is false`);
  if (backupFolder !== undefined)
    return { folder: backupFolder, ...(backupVolume && { volume: backupVolume }) };
  const { readSetting } = await import("./stack.ts");
  const { defaultNames } = await import("../settings/default-names.ts");
  if ((await readSetting(name, "backupDirectory")) !== "") return {};
  return {
    volume: (await readSetting(name, "backupVolumeName")) || defaultNames(name, false).backupVolumeName,
  };
}
