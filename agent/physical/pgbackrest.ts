import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { ProgramFailed, type ProgramResult, run } from "../program.ts";

/** How pgBackRest is called. */
export interface PgbackrestCall {
  /** Options beside those of the configuration file. */
  readonly options?: readonly string[];
  /** What the command is about, where it takes one. */
  readonly path?: string;
  /** Told each line that it prints. */
  readonly onLine?: (line: string) => void;
  readonly context: Pick<Context, "signal">;
}

/**
 * Runs one of pgBackRest's commands on the stack's stanza and returns its output.
 *
 * @throws Refusal where its own words name what the user can mend; ProgramFailed otherwise.
 */
export async function pgbackrest(
  { physical }: Pick<AgentConfiguration, "physical">,
  command: string,
  { options = [], path, onLine, context }: PgbackrestCall,
): Promise<string> {
  const complaints: string[] = [];
  const result = await run(
    "pgbackrest",
    [
      `--config=${physical.configurationFile}`,
      `--stanza=${physical.stanza}`,
      ...options,
      command,
      ...(path === undefined ? [] : [path]),
    ],
    {
      signal: context.signal,
      ...(onLine === undefined
        ? {}
        : {
            onLine: (line: string) => {
              if (/ (WARN|ERROR): /.test(line)) complaints.push(line);
              onLine(line);
            },
          }),
    },
  );
  if (result.exitCode !== 0) throw failure(command, result, complaints);
  return result.stdout;
}

/** Exit codes: src/common/error/error.auto.c.inc of pgBackRest. */
const CRYPTO = 95;

function failure(command: string, result: ProgramResult, complaints: readonly string[]): Error {
  const said = [...complaints, result.stdout, result.stderr].join("\n");
  const error = said
    .split("\n")
    .find((line) => /ERROR: /.test(line))
    ?.replace(/^.*ERROR: \[\d+\]: (raised from \S+ \S+: )?/, "")
    .trim();
  if (result.exitCode === CRYPTO || /unable to flush|cipher/i.test(error ?? "")) {
    return new Refusal(
      `the repository cannot be read with the stack's encryption key: ${error ?? "it was encrypted with another"}`,
    );
  }
  return new ProgramFailed(`pgbackrest ${command}`, result.exitCode, error ?? said);
}
