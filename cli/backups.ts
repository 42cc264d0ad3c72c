import { Command } from "commander";
import type { BackupEntry } from "../agent/entry.ts";
import { newestOfEach } from "../agent/entry.ts";
import type { Fate } from "../agent/retention.ts";
import { backupTable, sourceWarnings } from "./backup-table.ts";
import { interruptionSignal } from "./interruption.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { harmless, note, printJson, printLine, printWarnings, table } from "./print.ts";
import { withProgress } from "./progress.ts";

interface BackupsOptions {
  readonly json: boolean;
  readonly prune: boolean;
  readonly dryRun: boolean;
  readonly showKey: boolean;
}

/** `pgstack backups`. */
export function backupsCommand(): Command {
  const command = new Command("backups")
    .description("List the backups; remove those that retention does not keep.")
    .addOption(jsonOption())
    .option("--prune", "remove what retention does not keep, as the schedule does", false)
    .option("--dry-run", "with --prune: only tell what would go, and why", false)
    .option("--show-key", "print what backups are encrypted with, to keep a copy elsewhere", false)
    .action(async (options: BackupsOptions) => {
      if (options.showKey) await showKey(stackName(command));
      else if (options.prune || options.dryRun) await pruneBackups(stackName(command), options);
      else await list(stackName(command), options);
    });
  return taught(command, [
    ["pgstack backups", "all of them, with age, size and how they were verified"],
    ["pgstack backups --prune --dry-run", "what the next scheduled run would remove, and why"],
  ]);
}

async function list(name: string, { json }: BackupsOptions): Promise<void> {
  const { openStack } = await import("./stack.ts");
  const { callAgent } = await import("../operations/agent.ts");
  const stack = await openStack(name);
  const { entries, problems } = await callAgent<{ entries: BackupEntry[]; problems: string[] }>(
    stack.target,
    "list",
  );
  if (json) printJson({ backups: entries, problems });
  else if (entries.length === 0) printLine("There is no backup yet: pgstack backup takes one.");
  else {
    printLine(backupTable(entries, new Date()).trimEnd());
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
