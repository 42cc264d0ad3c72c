import { join } from "node:path";
import { Command } from "commander";
import type { AuditRecord } from "../operations/audit.ts";
import type { Target } from "../operations/target.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { anchorageLines, anchorageOf } from "./audit-anchorage.ts";
import { EXIT, NotProvisioned } from "./exit-codes.ts";
import { jsonOption, stackName, taught, wholeNumber } from "./options.ts";
import { harmless, note, print, printJson, printLine, statusText, table } from "./print.ts";

/** `pgstack audit [list]` and `pgstack audit verify`. */
export function auditCommand(): Command {
  const audit = new Command("audit").description(
    "Who changed what and when; and whether anybody touched the record.",
  );
  audit
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(verifyCommand())
    .addCommand(anchorCommand());
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
      const { records, damaged } = await lastAuditRecords((await logOf(stack)).directory, stack, lines);
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
    .description(
      "Check every record's hash and its link to the one before, over all months, and the log against what was anchored in the server.",
    )
    .addOption(jsonOption())
    .action(async ({ json }: { json: boolean }) => {
      const { verifyAudit } = await import("../operations/audit.ts");
      const stack = stackName(command);
      const { directory, target } = await logOf(stack);
      const anchorage = await anchorageOf(directory, target);
      const result = await verifyAudit(directory, stack, anchorage.anchor);
      // A stack that is up has been recorded, if not elsewhere.
      const none = result.records === 0 && target !== undefined && anchorage.elsewhere === 0;
      const firstBad =
        result.firstBad ??
        (none
          ? { file: directory, line: 0, reason: "the stack is up, and no record of it is here" }
          : undefined);
      if (firstBad !== undefined) process.exitCode = EXIT.failed;
      if (json) return printJson({ stack, ...result, firstBad: firstBad ?? null, ...anchorage });
      for (const line of anchorageLines(anchorage)) note(line);
      if (result.torn !== undefined)
        note(`line ${result.torn.line} of ${result.torn.file} was cut short: the next record sets it aside`);
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

function anchorCommand(): Command {
  const command = new Command("anchor")
    .description(
      "Anchor the log as it is in the server, after one was lost that was anchored there. The record says what was given up, and why.",
    )
    .requiredOption("--reason <text>", "why the log that was anchored is not there any more")
    .action(async ({ reason }: { reason: string }) => {
      const { anchorAudit, audited } = await import("../operations/audit.ts");
      const { openStack } = await import("./stack.ts");
      const { target, logsDirectory } = await openStack(stackName(command));
      const { anchor } = await anchorageOf(logsDirectory, target);
      const parameters = { reason, givenUp: anchor ?? null };
      await audited({ logsDirectory, stack: target.stack }, "audit.anchor", parameters, async () => {});
      await anchorAudit(target, logsDirectory, { replace: true });
      printLine(`${statusText("ok")}  the audit log of stack ${target.stack} is anchored as it is`);
    });
  return taught(command, [
    [`pgstack audit anchor --reason "the disk with the logs is gone"`, "verify counts from here"],
  ]);
}

/** Where the stack's logs are; those of a stack that is gone are where they are by default. */
async function logOf(name: string): Promise<{ directory: string; target?: Target }> {
  const { readStack } = await import("./stack.ts");
  try {
    const { logsDirectory, target } = await readStack(name);
    return { directory: logsDirectory, target };
  } catch (error) {
    if (!(error instanceof NotProvisioned)) throw error;
    const { auditFileNames } = await import("../operations/audit/files.ts");
    const byDefault = join(PROJECT_DIRECTORY, "logs");
    if ((await auditFileNames(byDefault, name)).length === 0) throw error;
    return { directory: byDefault };
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
