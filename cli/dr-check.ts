import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import type { AgentStatus } from "../agent/status.ts";
import { EXIT } from "./exit-codes.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import { harmless, printJson, printLine, statusText, table } from "./print.ts";

/** `pgstack dr-check`. */
export function drCheckCommand(): Command {
  const command = new Command("dr-check")
    .description("Check each point that a recovery from a disaster would need, and write a report.")
    .addOption(jsonOption())
    .action(async ({ json }: { json: boolean }) => {
      const { readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
      const { callAgent } = await import("../operations/agent.ts");
      const { examine } = await import("./examine.ts");
      const { readProtection } = await import("../operations/storage-protection.ts");
      const { checkRecovery, recoveryReport } = await import("../operations/recovery-check.ts");
      const stack = await readStackWithCredentials(stackName(command));
      await requireStackEngine(stack);
      const { target, logsDirectory } = stack;
      const [status, health, protection] = await Promise.all([
        callAgent<AgentStatus>(target, "status"),
        examine(stack, true),
        readProtection(target).catch((error: Error) => error),
      ]);
      const now = new Date();
      const points = checkRecovery(status, health, now, protection);
      const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
      const report = join(logsDirectory, `dr-check-${target.stack}-${stamp}.md`);
      await mkdir(logsDirectory, { recursive: true });
      await writeFile(report, recoveryReport(target.stack, points, now), { mode: 0o600 });
      if (json) printJson({ points, report });
      else {
        const rows = points.map(({ point, status: one, message }) => [
          statusText(one),
          point,
          harmless(message),
        ]);
        printLine(table(rows).trimEnd());
        printLine(`\nreport: ${report}`);
      }
      if (points.some((one) => one.status === "failed")) process.exitCode = EXIT.failed;
    });
  return taught(command, [["pgstack dr-check", "exit code 1 when a point failed"]]);
}
