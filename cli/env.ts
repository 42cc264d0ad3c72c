import { delimiter } from "node:path";
import { Command, Option } from "commander";
import { shellWord } from "../operations/connection-info/encode.ts";
import { UserError } from "../operations/user-error.ts";
import { cacheDirectory, SHELL_PROGRAMS } from "../toolchain/directories.mjs";
import { readRecord, toolVariables } from "../toolchain/environment.mjs";
import { taught } from "./options.ts";
import { print, printJson } from "./print.ts";

/** What the caller's environment does not override; of PATH it is what comes in front. */
const OURS = new Set(["PATH", "PULUMI_HOME"]);

/** `pgstack env`. */
export function envCommand(): Command {
  const command = new Command("env")
    .description("Print the settings by which plain pulumi finds this project's tools, state and engine.")
    .addOption(
      new Option("--shell [shell]", "as lines for a shell")
        .choices(["posix", "fish"])
        .preset("posix")
        .default("posix"),
    )
    .option("--json", "print JSON for machines instead", false)
    .action(async ({ shell, json }: { shell: "posix" | "fish"; json: boolean }) => {
      const variables = await settings();
      if (json) printJson(Object.fromEntries(variables));
      else print(shell === "fish" ? fishLines(variables) : posixLines(variables));
    });
  return taught(command, [
    ['eval "$(./pgstack env)"', "then pulumi preview, up, refresh, destroy work in this shell"],
    ["./pgstack env --shell fish | source", "the same in fish"],
  ]);
}

/** What the set-up says, except where the caller has chosen otherwise. */
async function settings(): Promise<[name: string, value: string][]> {
  const record = await readRecord();
  if (record === undefined) throw new UserError("the set-up has not been done yet: npm start does it");
  const variables = toolVariables(record, cacheDirectory());
  return Object.entries({ ...variables, PATH: `${SHELL_PROGRAMS}${delimiter}${variables["PATH"]}` })
    .filter(
      ([name]) =>
        name !== "PULUMI_CONFIG_PASSPHRASE_FILE" || process.env.PULUMI_CONFIG_PASSPHRASE === undefined,
    )
    .map(([name, value]) => [name, OURS.has(name) ? value : (process.env[name] ?? value)]);
}

/** Export lines; a second evaluation changes nothing. */
export function posixLines(variables: readonly (readonly [name: string, value: string])[]): string {
  return variables
    .map(([name, value]) => {
      if (name !== "PATH") return `export ${name}=${shellWord(value)}\n`;
      const word = shellWord(value);
      return `case ":$PATH:" in *:${word}:*) ;; *) export PATH=${word}:"$PATH" ;; esac\n`;
    })
    .join("");
}

/** The same for fish, which takes PATH as a list. */
export function fishLines(variables: readonly (readonly [name: string, value: string])[]): string {
  const word = (value: string) => `'${value.replaceAll(/['\\]/g, "\\$&")}'`;
  return variables
    .map(([name, value]) =>
      name === "PATH"
        ? `fish_add_path --path --prepend ${value.split(":").map(word).join(" ")}\n`
        : `set -gx ${name} ${word(value)}\n`,
    )
    .join("");
}
