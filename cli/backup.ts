import { Command, Option } from "commander";
import type { BackupEntry } from "../agent/entry.ts";
import { callStackAgent } from "./agent-call.ts";
import { formatBackup, sourceWarnings } from "./backup-table.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { printJson, printLine, printWarnings } from "./print.ts";

interface BackupOptions {
  readonly kind: "logical" | "full" | "diff" | "incr";
  readonly label?: string;
  readonly json: boolean;
}

const KINDS = { logical: "logical", full: "full", diff: "differential", incr: "incremental" } as const;

/** `pgstack backup`. */
export function backupCommand(): Command {
  const command = new Command("backup")
    .description("Take a backup now; it counts only once it has been read back.")
    .addOption(
      new Option("--kind <kind>", "a dump of the database, or the cluster's files")
        .choices(Object.keys(KINDS))
        .default("logical"),
    )
    .option("--label <text>", "a word to find it by")
    .addOption(jsonOption())
    .action(async ({ kind, label, json }: BackupOptions) => {
      const entries = await callStackAgent<BackupEntry[]>(stackName(command), {
        operation: "backup",
        parameters: { kind: KINDS[kind], ...(label === undefined ? {} : { label }) },
      });
      if (json) printJson(entries);
      else {
        for (const entry of entries) printLine(formatBackup(entry));
        printWarnings(sourceWarnings(entries));
      }
    });
  return taught(command, [
    ["pgstack backup", "a dump of the database, and of the roles"],
    ["pgstack backup --kind full --label before-7.2", "the cluster's files; recovery to any time after it"],
  ]);
}
