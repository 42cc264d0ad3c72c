import { Command } from "commander";
import type { BackupEntry } from "../agent/entry.ts";
import type { BroughtBack } from "../agent/logical/bring-back.ts";
import { describeLosses } from "../agent/logical/losses.ts";
import type { RestorePlan } from "../agent/logical/restore-plan.ts";
import { withStackLock } from "../operations/lock/stack.ts";
import { UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { ask, requireAnswer } from "./ask.ts";
import { findBackupByName } from "./find-backup.ts";
import { interruptionSignal } from "./interruption.ts";
import { acceptOption, stackName, taught } from "./options.ts";
import { note, printLine, printWarnings } from "./print.ts";
import { withProgress } from "./progress.ts";
import { pulumiUp } from "./up.ts";

interface RestoreDumpOptions {
  readonly schema: readonly string[];
  readonly table: readonly string[];
  readonly acceptLosses: boolean;
  readonly yes: boolean;
  readonly accept?: string;
}

const listed = (one: string, before: readonly string[]): string[] => [...before, one];

/** `pgstack restore-dump`. */
export function restoreDumpCommand(): Command {
  const command = new Command("restore-dump")
    .description(
      "Bring the database, or chosen schemas or tables, back to a dump. The present state is dumped first; the database from before is kept under another name.",
    )
    .argument("<backup>", "a logical backup's id or label")
    .option("--schema <name>", "this schema alone, named as in SQL (may be repeated)", listed, [])
    .option(
      "--table <schema.table>",
      "this table alone, with its partitions, or this view; named as in SQL (may be repeated)",
      listed,
      [],
    )
    .option("--accept-losses", "go on without what stands now and is not so in the backup", false)
    .option("-y, --yes", "do not ask", false)
    .addOption(acceptOption())
    .action(async (backup: string, options: RestoreDumpOptions) => {
      const name = stackName(command);
      await withStackLock(PROJECT_DIRECTORY, name, `a restore of stack ${name}`, () =>
        restoreDump(name, backup, options),
      );
    });
  return taught(command, [
    ["pgstack restore-dump before-7.2", "the whole database; sessions end, the one from before is kept"],
    ["pgstack restore-dump ID --table public.orders", "one table, in one transaction"],
  ]);
}

async function restoreDump(
  name: string,
  backup: string,
  { schema, table, acceptLosses, yes, accept }: RestoreDumpOptions,
): Promise<void> {
  const { openStack } = await import("./stack.ts");
  const { audited } = await import("../operations/audit.ts");
  const { callAgent } = await import("../operations/agent.ts");
  const stack = await openStack(name);
  requireAnswer(yes, "restore it");
  const { target, logsDirectory } = stack;
  const entry = await findBackupByName(target, backup);
  if (entry.kind !== "logical") {
    throw new UserError(`${entry.id} is a physical backup: pgstack restore ${entry.id} restores it`);
  }
  const what =
    schema.length + table.length === 0 ? `database ${target.database}` : [...schema, ...table].join(", ");
  const selection = { id: entry.id, schemas: schema, tables: table };
  const signal = interruptionSignal();
  // Whatever is refused is refused here: before a backup is taken for it.
  const plan = await withProgress((onStep) =>
    callAgent<RestorePlan>(target, "restore-dump-plan", selection, { onStep, signal }),
  );
  tellPlan(plan, acceptLosses);
  const question = `Bring ${what} of stack ${name} back to ${entry.finishedAt}? What was written since is in the backup taken before. [y/N] `;
  if (!yes && !(await ask(question))) {
    printLine("Nothing was changed.");
    return;
  }
  const parameters: Record<string, unknown> = {
    ...{ ...selection, acceptLosses },
    ...(accept === undefined ? {} : { accept }),
  };
  const result = await audited({ logsDirectory, stack: name }, "restore.dump", parameters, () =>
    withProgress(async (onStep) => {
      const request = {
        kind: "logical",
        label: `before restore of ${entry.id.slice(0, 16)}`,
        waitSeconds: 600,
      };
      const [safety] = await callAgent<BackupEntry[]>(target, "backup", request, { onStep, signal });
      parameters.safetyBackup = safety?.id;
      const wanted = { ...selection, acceptLosses, accept: accept !== undefined };
      const restored = await callAgent<BroughtBack>(target, "restore-dump", wanted, { onStep, signal });
      parameters.warnings = restored.warnings;
      return restored;
    }),
  );
  printWarnings(result.warnings);
  note("pulumi up brings roles, grants and settings to what the stack declares:");
  const exitCode = await pulumiUp(name);
  const kept =
    result.kept === undefined
      ? ""
      : ` The database from before is kept as ${result.kept}: drop it when you are content.`;
  printLine(
    `\nRestored ${what} from ${entry.id}.${kept} Backup ${String(parameters.safetyBackup)} has the state before.`,
  );
  if (exitCode !== 0)
    throw new UserError(`pulumi up failed (exit code ${exitCode}): run it again, the data is restored`);
}

/** @throws UserError naming what would be lost, unless that was accepted. */
function tellPlan({ notes, losses }: RestorePlan, acceptLosses: boolean): void {
  for (const text of notes) note(text);
  if (losses.length === 0) return;
  if (!acceptLosses) throw new UserError(describeLosses(losses));
  note("it goes without what stands now and is not so in the backup:");
  for (const loss of losses) note(`  ${loss}`);
}
