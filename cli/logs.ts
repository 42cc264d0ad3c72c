import { Command } from "commander";
import { interruptionSignal } from "./interruption.ts";
import { stackName, taught, wholeNumber } from "./options.ts";
import { harmless, printLine } from "./print.ts";

/** `pgstack logs`. */
export function logsCommand(): Command {
  const command = new Command("logs")
    .description("Print the end of the server's log, and what comes after it.")
    .option("-f, --follow", "go on with what the server writes from now on", false)
    .option("-n, --lines <count>", "last lines to begin with", wholeNumber(0, 1_000_000), 100)
    .action(async ({ follow, lines }: { follow: boolean; lines: number }) => {
      const { openStack } = await import("./stack.ts");
      const { streamServerLog } = await import("../operations/server-log.ts");
      const stack = await openStack(stackName(command));
      const signal = interruptionSignal();
      for await (const line of streamServerLog(stack.target, { follow, lines, signal })) {
        printLine(harmless(line));
      }
      signal.throwIfAborted();
    });
  return taught(command, [
    ["pgstack logs -f", "the last 100 lines, then each new one"],
    ["pgstack logs -n 10000 | grep ERROR", "errors among the last 10,000 lines"],
  ]);
}
