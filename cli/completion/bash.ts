import type { CommandDescription } from "./describe.ts";

/** A completion script for bash 4 and newer; needs nothing but bash itself. */
export function bashCompletion(root: CommandDescription): string {
  return `# bash completion for pgstack; eval "$(pgstack completion bash)"
_pgstack() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path="" one words=""
  local index=1
  while (( index < COMP_CWORD )); do
    one=\${COMP_WORDS[index]}
    case $one in
      --) return ;;
      ${valueFlags(root).join("|")}) (( index++ )) ;;
      -*) ;;
      *) case "$path $one" in
${commandPaths(root)
  .map((path) => `        "${path}") path="${path}" ;;`)
  .join("\n")}
      esac ;;
    esac
    (( index++ ))
  done
  case "$path $before" in
${valueCases(root).join("\n")}
  esac
  case $path in
${wordCases(root).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _pgstack pgstack ./pgstack
`;
}

interface Placed {
  /** For example ` audit verify`; empty for the root. */
  readonly path: string;
  readonly command: CommandDescription;
}

function placed(command: CommandDescription, path = ""): Placed[] {
  return [{ path, command }, ...command.commands.flatMap((one) => placed(one, `${path} ${one.name}`))];
}

function commandPaths(root: CommandDescription): string[] {
  return placed(root)
    .map(({ path }) => path)
    .filter((path) => path !== "");
}

function valueFlags(root: CommandDescription): string[] {
  const flags = placed(root).flatMap(({ command }) =>
    command.options.filter(({ value }) => value !== undefined).flatMap((option) => option.flags),
  );
  return [...new Set(flags)].sort();
}

/** After an option that takes a value: its choices, the stacks of the folder, or nothing. */
function valueCases(root: CommandDescription): string[] {
  return placed(root).flatMap(({ path, command }) =>
    command.options
      .filter(({ value }) => value !== undefined)
      .map(({ flags, choices, value }) => {
        const patterns = flags.map((flag) => `"${path} ${flag}"`).join("|");
        const stacks = `for one in Pulumi.*.yaml; do one=\${one#Pulumi.}; [[ $one == '*.yaml' ]] || words+=" \${one%.yaml}"; done`;
        const words = value === "stack" ? stacks : `words="${choices.join(" ")}"`;
        return `    ${patterns}) ${words}; COMPREPLY=($(compgen -W "$words" -- "$word")); return ;;`;
      }),
  );
}

function wordCases(root: CommandDescription): string[] {
  return placed(root).map(({ path, command }) => {
    const options = command.options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith("--")));
    const words = [...command.commands.map(({ name }) => name), ...command.choices, ...options];
    return `    "${path}") words="${words.join(" ")}" ;;`;
  });
}
