import { Command } from "commander";
import { jsonOption, stackName, taught } from "./options.ts";
import { harmless, printJson, printLine, table } from "./print.ts";
import { openPromotion } from "./promotion/interrupted.ts";
import { openStack } from "./stack.ts";

/** Records of promotions that are looked through. */
const RECORDS = 100_000;

/** Operations of the audit log, in a word or two. */
const WORDS: Readonly<Record<string, string>> = {
  "promotion.apply": "promoted",
  "promotion.complete": "completed",
  "promotion.put-back": "put back",
};

/** `pgstack promotions`. */
export function promotionsCommand(): Command {
  const command = new Command("promotions")
    .description("What was promoted to a stack, from where and when, oldest first.")
    .addOption(jsonOption())
    .action(async ({ json }: { readonly json: boolean }) => {
      const stack = stackName(command);
      const { logsDirectory } = await openStack(stack);
      const { lastAuditRecords } = await import("./audit-records.ts");
      const { records } = await lastAuditRecords(logsDirectory, stack, RECORDS);
      const found = records.filter(({ operation }) => operation in WORDS);
      if (json) {
        const begun = await openPromotion(stack);
        return printJson({ promotions: found, unfinished: begun?.from ?? null });
      }
      if (found.length === 0) return printLine(`Nothing was promoted to stack ${stack} yet.`);
      const rows = found.map(({ time, operation, result, operator, parameters }) => [
        ...[time, WORDS[operation] ?? operation, result, String(parameters["from"])],
        ...[String(parameters["commit"]).slice(0, 12), operator],
      ]);
      printLine(table(rows.map((row) => row.map(harmless))).trimEnd());
    });
  return taught(command, [["pgstack --stack prod promotions", "with commit and operator"]]);
}
