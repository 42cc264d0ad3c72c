import { Command } from "commander";
import { withStackLock } from "../operations/lock/stack.ts";
import type { MigrationFile } from "../operations/migrations.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { withAdministrator } from "./administrator.ts";
import { ask, requireAnswer } from "./ask.ts";
import { interruptionSignal } from "./interruption.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { note, printLine, table } from "./print.ts";
import { withProgress } from "./progress.ts";

interface RunOptions {
  readonly to?: string;
  readonly dryRun: boolean;
  readonly yes?: boolean;
}

/** `pgstack migrate create|status|up|down`. */
export function migrateCommand(): Command {
  const command = new Command("migrate").description(
    "Migrations of the schema: plain SQL files in migrations/, each applied in one transaction, as the administrator.",
  );
  command.addCommand(createCommand());
  command.addCommand(statusCommand(command));
  command.addCommand(upCommand(command));
  command.addCommand(downCommand(command));
  return command;
}

function createCommand(): Command {
  const command = new Command("create")
    .description("Make the files of a new migration.")
    .argument("<name>", "what it does, for example add_orders")
    .action(async (name: string) => {
      const { createMigration } = await import("../operations/migrations.ts");
      for (const file of await createMigration(PROJECT_DIRECTORY, name)) printLine(file);
    });
  return taught(command, [["pgstack migrate create add_orders", "the two files of the next version"]]);
}

function statusCommand(parent: Command): Command {
  const command = new Command("status")
    .description("What was applied and when, and what waits.")
    .addOption(jsonOption())
    .action(async ({ json }: { readonly json: boolean }) => {
      const { migrationStatus } = await import("../operations/migrations.ts");
      const { applied, pending } = await withAdministrator(stackName(parent), "migrate", ({ client }) =>
        migrationStatus(client, PROJECT_DIRECTORY),
      );
      if (json) {
        printLine(JSON.stringify({ applied, pending: pending.map(({ name }) => name) }, undefined, 2));
        return;
      }
      const rows = [
        ...applied.map(({ name, at }) => [name, "applied", at]),
        ...pending.map(({ name }) => [name, "waits", ""]),
      ];
      printLine(
        rows.length === 0
          ? "There are no migrations: pgstack migrate create NAME makes one."
          : table(rows).trimEnd(),
      );
    });
  return taught(command, [["pgstack migrate status", "of the stack dev"]]);
}

function upCommand(parent: Command): Command {
  const command = new Command("up")
    .description("Apply what waits. The stack is backed up before; what fails leaves the schema as it was.")
    .option("--to <version>", "up to this version. Default: the last one")
    .option("--dry-run", "show the SQL and what in it does harm; nothing is applied", false)
    .action(async (options: RunOptions) => {
      await run(stackName(parent), "up", { ...options, yes: true });
    });
  return taught(command, [
    ["pgstack migrate up --dry-run", "the SQL, and what in it would lock others out"],
    ["pgstack migrate up", "everything that waits"],
    ["pgstack migrate up --to 0007", "as far as version 0007"],
  ]);
}

function downCommand(parent: Command): Command {
  const command = new Command("down")
    .description("Take migrations back: the last one, or all after a version.")
    .option("--to <version>", "down to this version; 0: all of them")
    .option("--dry-run", "show the SQL; nothing is taken back", false)
    .option("-y, --yes", "do not ask", false)
    .action(async (options: RunOptions) => {
      await run(stackName(parent), "down", options);
    });
  return taught(command, [
    ["pgstack migrate down", "the last one"],
    ["pgstack migrate down --to 0003 --yes", "all after version 0003, without asking"],
  ]);
}

async function run(stack: string, direction: "up" | "down", options: RunOptions): Promise<void> {
  if (options.dryRun) return await runUnlocked(stack, direction, options);
  await withStackLock(PROJECT_DIRECTORY, stack, `migrations of stack ${stack}`, () =>
    runUnlocked(stack, direction, options),
  );
}

async function runUnlocked(
  stack: string,
  direction: "up" | "down",
  { to, dryRun, yes }: RunOptions,
): Promise<void> {
  const { migrate, plannedMigrations } = await import("../operations/migrations.ts");
  const { audited } = await import("../operations/audit.ts");
  const wanted = { project: PROJECT_DIRECTORY, direction, ...(to === undefined ? {} : { to }) };
  await withAdministrator(stack, "migrate", async (session) => {
    const { client, target, logsDirectory, hasBackups, users, cancel } = session;
    const planned = await plannedMigrations(client, wanted);
    if (planned.length === 0) {
      printLine("Nothing to do.");
      return;
    }
    await warn(planned, direction);
    if (dryRun) {
      for (const one of planned) {
        printLine(
          `-- ${one.name} (${direction})\n${(direction === "up" ? one.up : (one.down ?? "-- no way down\n")).trimEnd()}\n`,
        );
      }
      return;
    }
    const names = planned.map(({ name }) => name);
    requireAnswer(yes, "take them back");
    if (yes !== true && !(await ask(`Take back ${names.join(", ")}? [y/N] `))) {
      printLine("Nothing was changed.");
      return;
    }
    const signal = interruptionSignal();
    const parameters: Record<string, unknown> = { migrations: names };
    await audited({ logsDirectory, stack }, `migrate.${direction}`, parameters, () =>
      withProgress(async (onStep) => {
        const before = async () => {
          const { backUpIncrementally } = await import("../operations/backup-before.ts");
          parameters.backup = (await backUpIncrementally(target, "before migration", { onStep, signal }))?.id;
        };
        const onWarning = (text: string) => note(`warning: ${text}`);
        const how = { ...wanted, users, cancel, onStep, onWarning, signal };
        await migrate(client, { ...how, ...(hasBackups ? { before } : {}) });
      }),
    );
    printLine(`${direction === "up" ? "Applied" : "Taken back"}: ${names.join(", ")}.`);
  });
}

/** What in the SQL does harm on a database in use. */
async function warn(planned: readonly MigrationFile[], direction: "up" | "down"): Promise<void> {
  const { lint, MIGRATION_FOLDER } = await import("../operations/migrations.ts");
  for (const { name, up, down } of planned) {
    const file = `${name}.${direction}.sql`;
    for (const { line, message } of await lint(file, direction === "up" ? up : (down ?? ""))) {
      note(`warning: ${MIGRATION_FOLDER}/${file}, line ${line}: ${message}`);
    }
  }
}
