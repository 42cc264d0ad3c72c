import { existsSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { journalPath } from "../operations/promotion/journal.ts";
import { errorLine } from "../operations/user-error.ts";
import { nearest } from "../settings/nearest.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { anchorWritten } from "./anchor-written.ts";
import { auditCommand } from "./audit.ts";
import { backupCommand } from "./backup.ts";
import { backupsCommand } from "./backups.ts";
import { cleanCommand } from "./clean.ts";
import { completionCommand } from "./completion.ts";
import { connectionInfoCommand } from "./connection-info.ts";
import { doctorCommand } from "./doctor.ts";
import { drCheckCommand } from "./dr-check.ts";
import { driftCommand } from "./drift.ts";
import { drillCommand } from "./drill.ts";
import { envCommand } from "./env.ts";
import { EXIT, exitCodeOf, Interrupted } from "./exit-codes.ts";
import { healthCommand } from "./health.ts";
import { watchInterruption } from "./interruption.ts";
import { logsCommand } from "./logs.ts";
import { membershipCommand } from "./membership.ts";
import { migrateCommand } from "./migrate.ts";
import { stackName, taught } from "./options.ts";
import { previewChangeCommand } from "./preview-change.ts";
import { harmless, note } from "./print.ts";
import { promoteCommand } from "./promote.ts";
import { promotionsCommand } from "./promotions.ts";
import { psqlCommand } from "./psql.ts";
import { resetTestCommand } from "./reset-test.ts";
import { restoreCommand } from "./restore.ts";
import { restoreDumpCommand } from "./restore-dump.ts";
import { restorePointCommand } from "./restore-point.ts";
import { rotateCommand } from "./rotate.ts";
import { restartCommand, shutdownCommand, startCommand } from "./shutdown.ts";
import { snapshotCommand } from "./snapshot.ts";
import { stateCommand } from "./state.ts";
import { statusCommand } from "./status.ts";
import { testDbCommand } from "./test-db.ts";
import { unitsCommand } from "./units.ts";
import { upgradeCommand } from "./upgrade.ts";
import { verifyCommand } from "./verify.ts";

/** The whole command line. */
function program(): Command {
  const root = new Command("pgstack")
    .description("Operate the PostgreSQL servers that this Pulumi project brings up.")
    .addOption(
      new Option("--stack <name>", "the stack that a command is about").default(
        process.env.PGSTACK_STACK || "dev",
        'PGSTACK_STACK, else "dev"',
      ),
    )
    .helpCommand("help [command]", "Explain a command.");
  for (const command of [
    statusCommand(),
    healthCommand(),
    connectionInfoCommand(),
    psqlCommand(),
    logsCommand(),
    auditCommand(),
    rotateCommand(),
    backupCommand(),
    backupsCommand(),
    verifyCommand(),
    restoreCommand(),
    restoreDumpCommand(),
    restorePointCommand(),
    driftCommand(),
    promoteCommand(),
    promotionsCommand(),
    previewChangeCommand(),
    drillCommand(),
    drCheckCommand(),
    upgradeCommand(),
    stateCommand(),
    migrateCommand(),
    membershipCommand(),
    snapshotCommand(),
    resetTestCommand(),
    testDbCommand(),
    unitsCommand(),
    shutdownCommand(),
    startCommand(),
    restartCommand(),
    doctorCommand(),
    envCommand(),
    cleanCommand(),
    completionCommand(),
  ]) {
    root.addCommand(command);
  }
  taught(root, [
    ["pgstack status", "one screen about the stack dev"],
    ["pgstack --stack prod health --full", "every check on the stack prod"],
  ]);
  root.hook("preAction", async (_, command) => {
    // A promotion is about another stack than --stack, and says so itself.
    if (command.name() === "promote") return;
    const stack = stackName(command);
    if (!existsSync(journalPath(PROJECT_DIRECTORY, stack))) return;
    const { announcePromotion } = await import("./promotion/interrupted.ts");
    await announcePromotion(stack);
  });
  return settled(root);
}

/** Each command reports wrong usage to us, in one line. */
function settled(command: Command): Command {
  command
    .exitOverride()
    .helpOption("-h, --help", "explain this command")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => {} });
  for (const one of command.commands) settled(one);
  return command;
}

async function main(): Promise<void> {
  watchInterruption();
  const root = program();
  try {
    await root.parseAsync();
  } catch (error) {
    process.exitCode = report(error, root);
  }
  await anchorWritten();
  // Kept connections to the engine would hold the process for a while; what was printed goes out first.
  await new Promise((done) => process.stdout.write("", done));
  process.exit();
}

function report(error: unknown, root: Command): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    // The help itself was printed; there is nothing to add.
    if (error.code !== "commander.help") note(`pgstack: ${harmless(usage(error, root))}`);
    return EXIT.usage;
  }
  if (!(error instanceof Interrupted))
    note(
      `pgstack: ${harmless(
        errorLine(error)
          .trim()
          .replaceAll(/\s*\n\s*/g, "; "),
      )}`,
    );
  return exitCodeOf(error);
}

/** Commander's message as one line. A word too many is most likely a mistyped command of a command that has one by default. */
function usage({ code, message }: CommanderError, root: Command): string {
  const word = code === "commander.excessArguments" ? /.*: ([^,:]+)\.$/.exec(message)?.[1] : undefined;
  const below = root.commands.flatMap(({ commands }) => commands.map((command) => command.name()));
  const meant = word === undefined ? undefined : nearest(word, below);
  if (meant !== undefined) return `unknown command '${word}': did you mean ${meant}?`;
  return message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*\(Did you mean (?:one of )?(.*)\?\)/, ": did you mean $1?")
    .replaceAll(/\s*\n\s*/g, " ");
}

await main();
