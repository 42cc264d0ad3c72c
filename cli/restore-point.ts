import { Command } from "commander";
import type { RestorePoint } from "../agent/restore/window.ts";
import { callStackAgent } from "./agent-call.ts";
import { stackName, taught } from "./options.ts";
import { printLine } from "./print.ts";

/** `pgstack restore-point`. */
export function restorePointCommand(): Command {
  const command = new Command("restore-point")
    .description("Give the present moment a name that the database can be brought back to.")
    .argument("<name>", "letters, digits, dots, underscores and dashes")
    .action(async (name: string) => {
      const point = await callStackAgent<RestorePoint>(stackName(command), {
        operation: "restore-point",
        parameters: { name },
      });
      printLine(
        `restore point ${point.name} at ${point.lsn}, ${point.at}: pgstack restore --name ${point.name}`,
      );
    });
  return taught(command, [
    ["pgstack restore-point before-7.2", "then pgstack restore --name before-7.2 leads back"],
  ]);
}
