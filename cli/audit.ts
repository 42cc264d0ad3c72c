import { join } from "node:path";
import { Command } from "commander";
import type { AuditRecord } from "../operations/audit.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { EXIT, NotProvisioned } from "./exit-codes.ts";
import { jsonOption, stackName, taught, wholeNumber } from "./options.ts";
import { harmless, note, print, printJson, printLine, statusText, table } from "./print.ts";

/** `pgstack audit [list]` and `pgstack audit verify`. */
export function auditCommand(): Command {
  const audit = new Command("audit").description(
    "Who changed what and when; and whether anybody touched the record.",
  );
  audit.addCommand(listCommand(), { isDefault: true }).addCommand(verifyCommand());
  return taught(audit, [
    ["pgstack audit -n 5", "the last five operations"],
    ["pgstack audit verify", "exit code 1 when a record was removed or edited"],
  ]);
}

function listCommand(): Command {
  const command = new Command("list")
    .description("Print the last audit records, oldest first.")
    .addOption(jsonOption())
    .option("-n, --lines <count>", "how many", wholeNumber(1, 1_000_000), 20)
    .action(async ({ json, lines }: { json: boolean; lines: number }) => {
      const { lastAuditRecords } = await import("./audit-records.ts");
      const stack = stackName(command);
      const { records, damaged } = await lastAuditRecords(await logsDirectory(stack), stack, lines);
      if (json) printJson(records);
      else if (records.length === 0) note(`no operation is recorded for stack ${stack}`);
      else print(table(records.map(row)));
      if (damaged > 0)
        note(`pgstack: ${damaged} lines are no sound records: pgstack audit verify tells where`);
    });
  return taught(command, [
    ["pgstack audit list -n 50", "the last fifty"],
    ["pgstack audit list --json", "for machines, with every parameter"],
  ]);
}

function verifyCommand(): Command {
  const command = new Command("verify")
    .description("Check every record's hash and its link to the one before, over all months.")
    .addOption(jsonOption())
    .action(async ({ json }: { json: boolean }) => {
      const { verifyAudit } = await import("../operations/audit.ts");
      const stack = stackName(command);
      const result = await verifyAudit(await logsDirectory(stack), stack);
      const { firstBad } = result;
      if (firstBad !== undefined) process.exitCode = EXIT.failed;
      if (json) return printJson({ stack, ...result, firstBad: firstBad ?? null });
      if (firstBad === undefined) {
        return printLine(
          `${statusText("ok")}  ${result.records} records of stack ${stack}, none removed or edited`,
        );
      }
      const place = firstBad.line === 0 ? firstBad.file : `${firstBad.file}, line ${firstBad.line}`;
      printLine(`${statusText("failed")}  ${place}: ${harmless(firstBad.reason)}`);
    });
  return taught(command, [
    ["pgstack audit verify", "one line, and the exit code"],
    ["pgstack audit verify --json", "with the hash of the last record, to keep in another place"],
  ]);
}

/** Where the stack's logs are; those of a stack that is gone are where they are by default. */
async function logsDirectory(name: string): Promise<string> {
  const { readStack } = await import("./stack.ts");
  try {
    return (await readStack(name)).logsDirectory;
  } catch (error) {
    if (!(error instanceof NotProvisioned)) throw error;
    const { auditFileNames } = await import("../operations/audit/files.ts");
    const byDefault = join(PROJECT_DIRECTORY, "logs");
    if ((await auditFileNames(byDefault, name)).length === 0) throw error;
    return byDefault;
  }
}

function row({
  time,
  operator,
  operation,
  parameters,
  result,
  durationMilliseconds,
  error,
}: AuditRecord): string[] {
  const told = Object.entries(parameters).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const end = error === undefined ? "" : `: ${error}`;
  return [
    time.replace(/\.\d+Z$/, "Z"),
    harmless(operator),
    statusText(result),
    harmless(operation),
    `${durationMilliseconds} ms`,
    harmless(`${told.join(" ")}${end}`),
  ];
}
