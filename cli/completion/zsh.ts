import type { CommandDescription, OptionDescription } from "./describe.ts";

/** A completion script for zsh, for a file `_pgstack` in a folder of `$fpath` or for `eval`. */
export function zshCompletion(root: CommandDescription): string {
  return `#compdef pgstack
# zsh completion for pgstack
${functions(root, "_pgstack")}
_pgstack_stacks() {
  local -a stacks
  stacks=(Pulumi.*.yaml(N:r:e))
  compadd -a stacks
}

if [[ $funcstack[1] == _pgstack ]]; then
  _pgstack "$@"
else
  compdef _pgstack pgstack
fi
`;
}

function functions(command: CommandDescription, name: string): string {
  const specifications = command.options.map(optionSpecification);
  if (command.commands.length === 0) {
    const argument = command.choices.length === 0 ? [] : [quoted(`1:value:(${command.choices.join(" ")})`)];
    return `${name}() {\n  _arguments ${[...specifications, ...argument].join(" \\\n    ")}\n}\n`;
  }
  const list = command.commands.map(
    (one) => `    ${quoted(`${one.name.replaceAll(":", "\\:")}:${one.description}`)}`,
  );
  const cases = command.commands.map((one) => `        ${one.name}) ${functionName(name, one)} ;;`);
  const own = `${name}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a commands
  commands=(
${list.join("\n")}
  )
  _arguments -C ${[...specifications, "'1: :->command'", "'*:: :->arguments'"].join(" \\\n    ")}
  case $state in
    command) _describe -t commands command commands ;;
    arguments)
      case $line[1] in
${cases.join("\n")}
      esac ;;
  esac
}
`;
  return [own, ...command.commands.map((one) => functions(one, functionName(name, one)))].join("\n");
}

function functionName(parent: string, { name }: CommandDescription): string {
  return `${parent}_${name.replaceAll("-", "_")}`;
}

function optionSpecification({ flags, description, value, choices }: OptionDescription): string {
  const told = description.replaceAll(/[[\]\\:]/g, "\\$&");
  const values =
    value === "stack" ? "_pgstack_stacks" : choices.length === 0 ? " " : `(${choices.join(" ")})`;
  const rest = quoted(`[${told}]${value === undefined ? "" : `:${value}:${values}`}`);
  return flags.length === 1
    ? `${flags[0]}${rest}`
    : `${quoted(`(${flags.join(" ")})`)}{${flags.join(",")}}${rest}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
