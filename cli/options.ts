import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { Refusal } from "../agent/failure.ts";
import { parseRepositoryTime } from "../agent/restore/target.ts";
import type { RoleKind } from "../operations/health.ts";
import { EXIT_CODES_HELP, UsageError } from "./exit-codes.ts";

/** The kinds of role that every stack has. */
export const ROLE_KINDS: readonly RoleKind[] = ["administrator", "application", "readonly"];

/** The stack that a command is about. */
export function stackName(command: Command): string {
  const name: unknown = command.optsWithGlobals().stack;
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name)) {
    throw new UsageError(
      `--stack ${JSON.stringify(name)}: letters, digits, "-", "_" and "." make a stack's name, as in --stack dev`,
    );
  }
  return name;
}

/** `--role KIND`: which of the three roles, `application` unless told. */
export function roleOption(): Option {
  return new Option("--role <kind>", "whose values to use").choices([...ROLE_KINDS]).default("application");
}

/** `--json` for machines. */
export function jsonOption(): Option {
  return new Option("--json", "print JSON for machines").default(false, "text for people");
}

/** `--accept REASON`: for what is restored and fails verification. */
export function acceptOption(): Option {
  return new Option(
    "--accept <reason>",
    "take what is restored though it fails verification; the reason goes into the audit log",
  ).argParser((reason) => {
    if (reason.trim().length >= 3 && reason.length <= 500) return reason.trim();
    throw new InvalidArgumentError("Expected the reason in 3 to 500 characters.");
  });
}

/** `--repository-time TIME`: the object storage as it was. */
export function repositoryTimeOption(): Option {
  return new Option(
    "--repository-time <time>",
    "read the object storage as it was at a moment with its zone: for what was deleted since, where its bucket keeps versions",
  );
}

/** That moment, as operations and the agent take it. */
export function repositoryTimeOf({ repositoryTime }: { readonly repositoryTime?: string }): {
  readonly repositoryTime?: string;
} {
  try {
    return parseRepositoryTime(repositoryTime);
  } catch (error) {
    if (error instanceof Refusal) throw new UsageError(`--repository-time: ${error.message}`);
    throw error;
  }
}

/** A whole number from `least` to `most`, for an option or argument named in errors by commander. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`A whole number from ${least} to ${most} is right.`);
    }
    return value;
  };
}

/** A required argument with a fixed set of values. */
export function choiceArgument(name: string, description: string, choices: readonly string[]): Argument {
  return new Argument(name, description).choices([...choices]);
}

/** Ends a command's help with examples and exit codes. */
export function taught(
  command: Command,
  examples: readonly (readonly [command: string, effect: string])[],
): Command {
  const width = Math.max(...examples.map(([example]) => example.length));
  const lines = examples.map(([example, effect]) => `  ${example.padEnd(width)}   ${effect}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}\n\n${EXIT_CODES_HELP}`);
}
