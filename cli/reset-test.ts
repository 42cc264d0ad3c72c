import { Command } from "commander";
import { UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { interruptionSignal } from "./interruption.ts";
import { stackName, taught } from "./options.ts";
import { printLine } from "./print.ts";
import { withProgress } from "./progress.ts";

/** `pgstack reset-test`. */
export function resetTestCommand(): Command {
  const command = new Command("reset-test")
    .description(
      "Bring the database of a test stack to a snapshot: everything in it is replaced, its sessions are ended. Refused in every other stack.",
    )
    .argument(
      "[snapshot]",
      "its name. Default: the one that the stack declares (pgstack:testSnapshot), else standard",
    )
    .action(async (snapshot: string | undefined) => {
      await resetTest(stackName(command), snapshot);
    });
  return taught(command, [
    ["pgstack --stack ci reset-test", "as it was when the stack was made"],
    ["pgstack --stack ci reset-test orders", "to another snapshot"],
  ]);
}

async function resetTest(stack: string, snapshot: string | undefined): Promise<void> {
  const { readStackWithCredentials, requireStackEngine } = await import("./stack.ts");
  const { audited } = await import("../operations/audit.ts");
  const { resetToSnapshot } = await import("../operations/testing.ts");
  const { requireTesting } = await import("./testing.ts");
  const { checkHealth } = await import("../operations/health.ts");
  const found = await readStackWithCredentials(stack);
  await requireStackEngine(found);
  const { target, logsDirectory, testing, credentials, trust } = found;
  const name = snapshot ?? testing?.snapshot ?? "standard";
  const parameters: Record<string, unknown> = { snapshot: name };
  const done = await audited({ logsDirectory, stack }, "test.reset", parameters, async () => {
    const { specification } = requireTesting(found);
    const signal = interruptionSignal();
    const reset = await withProgress((onStep) =>
      resetToSnapshot(target, { project: PROJECT_DIRECTORY, name, specification, onStep, signal }),
    );
    const report = await checkHealth(target, {
      credentials,
      full: false,
      ...(trust === undefined ? {} : { trust }),
    });
    const failed = report.checks.filter((check) => check.status === "failed");
    Object.assign(parameters, { ...reset, health: report.status });
    if (failed.length > 0) {
      throw new UserError(
        `the database was reset and is not healthy: ${failed.map((check) => `${check.name}: ${check.message}`).join("; ")}`,
      );
    }
    return reset;
  });
  printLine(
    `Database ${target.database} of stack ${stack} is as snapshot ${name} has it: closed for ${done.closedMilliseconds.toFixed(1)} ms, ${done.endedSessions} sessions ended.`,
  );
}
