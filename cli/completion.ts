import { Command } from "commander";
import { bashCompletion } from "./completion/bash.ts";
import { describeCommands } from "./completion/describe.ts";
import { zshCompletion } from "./completion/zsh.ts";
import { choiceArgument, taught } from "./options.ts";
import { print } from "./print.ts";

/** `pgstack completion`. */
export function completionCommand(): Command {
  const command = new Command("completion")
    .description("Print a script by which the shell completes pgstack's commands and options.")
    .addArgument(choiceArgument("<shell>", "the shell", ["bash", "zsh"]))
    .action((shell: "bash" | "zsh") => {
      const root = describeCommands(command.parent ?? command);
      print(shell === "bash" ? bashCompletion(root) : zshCompletion(root));
    });
  return taught(command, [
    ['eval "$(./pgstack completion bash)"', "in this shell; in ~/.bashrc for every one"],
    ["./pgstack completion zsh > ~/.zfunc/_pgstack", "for zsh, in a folder of $fpath"],
  ]);
}
