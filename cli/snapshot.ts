import { Command } from "commander";
import type { Snapshot } from "../operations/testing/snapshot-files.ts";
import { UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { interruptionSignal } from "./interruption.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { printLine, table } from "./print.ts";
import { withProgress } from "./progress.ts";

/** `pgstack snapshot create|list|verify`. */
export function snapshotCommand(): Command {
  const command = new Command("snapshot").description(
    "Snapshots that test databases are reset to: SQL files in snapshots/, with what is recorded about each in metadata.json.",
  );
  command.addCommand(createCommand(command));
  command.addCommand(listCommand());
  command.addCommand(verifyCommand(command));
  return command;
}

function createCommand(parent: Command): Command {
  const command = new Command("create")
    .description("Make a snapshot of the live database, or of an SQL file.")
    .argument("<name>", "its name")
    .option("--from <file>", "an SQL file instead: it is loaded into a database of its own in a test stack")
    .action(async (name: string, { from }: { readonly from?: string }) => {
      const made = await create(stackName(parent), name, from);
      printLine(
        `snapshot ${made.name}: ${summary(made)}. Commit snapshots/${made.name}.sql and snapshots/metadata.json.`,
      );
    });
  return taught(command, [
    ["pgstack snapshot create orders", "the database of the stack dev, as it is now"],
    [
      "pgstack --stack ci snapshot create standard --from snapshots/standard.sql",
      "after the file was changed by hand",
    ],
  ]);
}

async function create(stack: string, name: string, from: string | undefined): Promise<Snapshot> {
  const { openStack } = await import("./stack.ts");
  const { audited } = await import("../operations/audit.ts");
  const { createSnapshot, createSnapshotFrom } = await import("../operations/testing/create.ts");
  const { requireTestEnvironment } = await import("../operations/testing.ts");
  const { requireTesting } = await import("./testing.ts");
  const opened = await openStack(stack);
  const { target, environment, logsDirectory } = opened;
  const options = { project: PROJECT_DIRECTORY, name, signal: interruptionSignal() };
  const parameters: Record<string, unknown> = { name, ...(from === undefined ? {} : { from }) };
  return audited({ logsDirectory, stack }, "snapshot.create", parameters, () =>
    withProgress(async (onStep) => {
      if (from === undefined) {
        if (environment === "production") {
          throw new UserError(
            "a snapshot is committed and loaded into test stacks, and production's data belongs into neither: bring it into a stack of its own (pgstack restore --latest --into NAME), make it anonymous there, and set pgstack:environment of that one to staging",
          );
        }
        return createSnapshot(target, { ...options, onStep });
      }
      const { specification } = requireTesting(opened);
      await requireTestEnvironment(target);
      return createSnapshotFrom(target, from, specification, { ...options, onStep });
    }),
  );
}

function listCommand(): Command {
  const command = new Command("list")
    .description("All snapshots, with whether their files are as they were made.")
    .addOption(jsonOption())
    .action(async ({ json }: { readonly json: boolean }) => {
      const { listSnapshots, requireSnapshot } = await import("../operations/testing/snapshot-files.ts");
      const found = await listSnapshots(PROJECT_DIRECTORY);
      if (json) {
        printLine(JSON.stringify(found, undefined, 2));
        return;
      }
      if (found.length === 0) {
        printLine("There are no snapshots: pgstack snapshot create NAME makes one.");
        return;
      }
      const rows = await Promise.all(
        found.map(async (one) => {
          const whole = await requireSnapshot(PROJECT_DIRECTORY, one.name).then(
            () => "ok",
            () => "changed",
          );
          return [one.name, whole, summary(one), `PostgreSQL ${one.serverVersion}`, one.createdAt];
        }),
      );
      printLine(table(rows).trimEnd());
    });
  return taught(command, [["pgstack snapshot list", "name, state, size, version, time"]]);
}

function verifyCommand(parent: Command): Command {
  const command = new Command("verify")
    .description(
      "Whether a snapshot's file is as it was made; with --load, whether it makes what was recorded.",
    )
    .argument("<name>", "its name")
    .option("--load", "load it into a database of its own in a test stack, and compare", false)
    .action(async (name: string, { load }: { readonly load: boolean }) => {
      const { requireSnapshot } = await import("../operations/testing/snapshot-files.ts");
      const found = await requireSnapshot(PROJECT_DIRECTORY, name);
      if (load) await loadOnce(stackName(parent), found);
      printLine(`ok  snapshot ${name}: ${summary(found)}${load ? ", loaded and compared" : ""}`);
    });
  return taught(command, [
    ["pgstack snapshot verify standard", "its checksum"],
    ["pgstack --stack ci snapshot verify standard --load", "its content too"],
  ]);
}

async function loadOnce(stack: string, snapshot: Snapshot): Promise<void> {
  const { openStack } = await import("./stack.ts");
  const { verifySnapshot } = await import("../operations/testing/create.ts");
  const { requireTestEnvironment } = await import("../operations/testing.ts");
  const { requireTesting } = await import("./testing.ts");
  const opened = await openStack(stack);
  const { target } = opened;
  const { specification } = requireTesting(opened);
  await requireTestEnvironment(target);
  const signal = interruptionSignal();
  await withProgress((onStep) =>
    verifySnapshot(target, snapshot, specification, { project: PROJECT_DIRECTORY, onStep, signal }),
  );
}

function summary({ tables, bytes }: Snapshot): string {
  const rows = Object.values(tables).reduce((sum, one) => sum + one, 0);
  return `${Object.keys(tables).length} tables, ${rows} rows, ${Math.ceil(bytes / 1024)} KB of SQL`;
}
