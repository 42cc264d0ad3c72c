import type { Argument, Command, Option } from "commander";

/** An option as completion sees it. */
export interface OptionDescription {
  /** For example `-n` and `--lines`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Name of its value; undefined for a flag alone. */
  readonly value: string | undefined;
  readonly choices: readonly string[];
}

/** A command with what may follow it. */
export interface CommandDescription {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionDescription[];
  /** Values of its first argument, where they are known. */
  readonly choices: readonly string[];
  readonly commands: readonly CommandDescription[];
}

/** Commands, options and values of a command and all below it, its own global options in each. */
export function describeCommands(
  command: Command,
  inherited: readonly OptionDescription[] = [],
): CommandDescription {
  const own = command.options.filter(({ hidden }) => !hidden).map(describeOption);
  const help = {
    flags: ["-h", "--help"],
    description: "explain this command",
    value: undefined,
    choices: [],
  };
  const passedOn = [...inherited, ...own];
  const [first] = command.registeredArguments;
  return {
    name: command.name(),
    description: command.description(),
    options: [...passedOn, help],
    choices: choicesOf(first),
    commands: command.commands.map((one) => describeCommands(one, passedOn)),
  };
}

function describeOption(option: Option): OptionDescription {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined && flag !== null);
  const takesValue = option.required || option.optional;
  return {
    flags,
    description: option.description,
    value: takesValue ? option.attributeName() : undefined,
    choices: choicesOf(option),
  };
}

function choicesOf(described: Argument | Option | undefined): readonly string[] {
  return described?.argChoices ?? [];
}
