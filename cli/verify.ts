import { Command } from "commander";
import type { VerifyResult } from "../agent/verify.ts";
import { callStackAgent } from "./agent-call.ts";
import { EXIT, UsageError } from "./exit-codes.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { harmless, printJson, printLine, printWarnings, statusText } from "./print.ts";

interface VerifyOptions {
  readonly all: boolean;
  readonly deep: boolean;
  readonly json: boolean;
}

/** `pgstack verify`. */
export function verifyCommand(): Command {
  const command = new Command("verify")
    .description("Read a backup back and compare it with its checksums; the newest unless told.")
    .argument("[backup]", "a backup's id or label")
    .option("--all", "every backup", false)
    .option(
      "--deep",
      "restore into a throw-away cluster as well, check every table and index, compare contents",
      false,
    )
    .addOption(jsonOption())
    .action(async (id: string | undefined, { all, deep, json }: VerifyOptions) => {
      if (id !== undefined && all) throw new UsageError("give a backup or --all, not both");
      const results = await callStackAgent<VerifyResult[]>(stackName(command), {
        operation: "verify",
        recordedAs: "backup.verify",
        parameters: { ...(id === undefined ? {} : { id }), all, deep },
        outcome: (found) => ({
          failed: found.filter(({ problems }) => problems.length > 0).map(({ entry }) => entry.id),
        }),
      });
      if (json) printJson(results);
      else for (const result of results) printResult(result);
      if (results.some(({ problems }) => problems.length > 0)) process.exitCode = EXIT.failed;
    });
  return taught(command, [
    ["pgstack verify", "the newest backup"],
    ["pgstack verify --all --deep", "restore each one and check what comes out"],
  ]);
}

function printResult({ entry, problems, warnings }: VerifyResult): void {
  const state = problems.length === 0 ? statusText("ok") : statusText("failed");
  printLine(`${state}  ${entry.kind} ${entry.id} (${entry.verification.form})`);
  for (const problem of problems) printLine(`    ${harmless(problem)}`);
  printWarnings(warnings);
}
