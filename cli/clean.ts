import { Command } from "commander";
import { taught } from "./options.ts";

/** `pgstack clean`. The work is in toolchain/, which runs before anything is set up. */
export function cleanCommand(): Command {
  const command = new Command("clean")
    .description(
      "Remove what the set-up made in this project and stop the private Docker engine; data only when asked.",
    )
    .option("--cache", "also the tools that all checkouts of this user share", false)
    .option(
      "--data",
      "also the stacks' state, and the private engine with its volumes: ALL DATABASES IN IT",
      false,
    )
    .option("--yes", "do not ask, not even for data of stacks that still have resources", false)
    .action(async (options: { cache: boolean; data: boolean; yes: boolean }) => {
      const { clean } = await import("../toolchain/clean.mjs");
      process.exitCode = await clean(options);
    });
  return taught(command, [
    ["./pgstack clean", "the next npm start sets up anew; databases stay"],
    ["./pgstack clean --cache --data", "as if it had never been here, after a question"],
  ]);
}
