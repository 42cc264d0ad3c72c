import { Command } from "commander";
import type { DrillResult } from "../agent/drill.ts";
import { callStackAgent } from "./agent-call.ts";
import { EXIT } from "./exit-codes.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { harmless, printJson, printLine, printWarnings, statusText } from "./print.ts";

/** `pgstack drill`. */
export function drillCommand(): Command {
  const command = new Command("drill")
    .description(
      "Prove that the database can be restored: newest backup and archive, into a throw-away cluster.",
    )
    .addOption(jsonOption())
    .action(async ({ json }: { json: boolean }) => {
      const result = await callStackAgent<DrillResult>(stackName(command), {
        operation: "drill",
        recordedAs: "restore.drill",
        outcome: (found) => ({ result: found.result }),
      });
      if (json) printJson(result);
      else printDrill(result);
      if (result.result === "failed") process.exitCode = EXIT.failed;
    });
  return taught(command, [["pgstack drill", "how long a restore takes (RTO), and what it would lack (RPO)"]]);
}

function printDrill({
  result,
  backup,
  rtoSeconds,
  rpoSeconds,
  seconds,
  message,
  warnings,
}: DrillResult): void {
  if (result === "failed") {
    printLine(`${statusText("failed")}: ${harmless(message ?? "")}`);
    return;
  }
  printLine(
    `${statusText("ok")}: backup ${backup} and the archive restore to a sound database (${seconds.toFixed(1)} s)`,
  );
  printWarnings(warnings);
  printLine(`  RTO  ${rtoSeconds?.toFixed(1)} s to the first query`);
  printLine(`  RPO  ${rpoSeconds?.toFixed(1) ?? "unknown"} s of commits were not in the backup place yet`);
}
