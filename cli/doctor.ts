import { Command } from "commander";
import { jsonOption, stackName, taught } from "./options.ts";

/** `pgstack doctor`. The work is in toolchain/, which runs before anything is set up. */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description(
      "Look at machine, engine, tools, plugins, image and stacks, and say how to mend what is wrong.",
    )
    .addOption(jsonOption())
    .action(async ({ json }: { json: boolean }) => {
      const { doctor } = await import("../toolchain/doctor.mjs");
      process.exitCode = await doctor({ stack: stackName(command), json });
    });
  return taught(command, [
    ["./pgstack doctor", "also when the set-up itself does not work"],
    ["./pgstack doctor --json", "each finding with what mends it, for machines"],
  ]);
}
