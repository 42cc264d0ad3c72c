import { execFile } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const CHECKOUT = new URL("../../", import.meta.url);
const COMMAND_LINE = new URL("cli/main.ts", CHECKOUT).href;
const COMMANDER = pathToFileURL(fileURLToPath(new URL("node_modules/commander/index.js", CHECKOUT))).href;

/** In the place of reading its words, the command line prints the help of each of its commands. */
const PROGRAM = `
  const { Command } = await import(${JSON.stringify(COMMANDER)});
  const helps = {};
  const walk = (command, words) => {
    const write = (text) => { helps[words.join(" ")] = (helps[words.join(" ")] ?? "") + text; };
    command.configureOutput({ writeOut: write });
    command.outputHelp();
    for (const below of command.commands) walk(below, [...words, below.name()]);
  };
  Command.prototype.parseAsync = async function () {
    walk(this, []);
    process.stdout.write(JSON.stringify(helps));
  };
  await import(${JSON.stringify(COMMAND_LINE)});`;

/** What each command says of itself for `--help`, by its words; `""` is the whole program. One process tells of all. */
export async function helpOfCommands(): Promise<ReadonlyMap<string, string>> {
  const options = ["--input-type=module", "--eval", PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, options, { maxBuffer: 16 * 1024 ** 2 });
  return new Map(Object.entries(JSON.parse(stdout) as Record<string, string>));
}
