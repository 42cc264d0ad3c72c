import { dirname, join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { ProgramFailed, type ProgramResult, run } from "../program.ts";

/** How pgBackRest is called. */
export interface PgbackrestCall {
  /** Options beside those of the configuration file. */
  readonly options?: readonly string[];
  /** What the command is about, where it takes anything. */
  readonly path?: readonly string[];
  /** Sent to its standard input. */
  readonly input?: string;
  /** Told each line that it prints. */
  readonly onLine?: (line: string) => void;
  /** For what a storage that is away must not keep for long. Default: as long as pgBackRest itself tries. */
  readonly timeoutSeconds?: number;
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
  { options = [], path, input, onLine, timeoutSeconds, context }: PgbackrestCall,
): Promise<string> {
  const complaints: string[] = [];
  const reading = readingOptions(physical, command, options);
  const overdue = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timeoutSeconds * 1_000);
  const result = await run(
    "pgbackrest",
    [
      `--config=${physical.configurationFile}`,
      `--stanza=${physical.stanza}`,
      ...options,
      ...reading,
      command,
      ...(path ?? []),
    ],
    {
      signal: overdue === undefined ? context.signal : AbortSignal.any([context.signal, overdue]),
      ...(input === undefined ? {} : { input }),
      ...(onLine === undefined
        ? {}
        : {
            onLine: (line: string) => {
              if (/ (WARN|ERROR): /.test(line)) complaints.push(line);
              onLine(line);
            },
          }),
    },
  ).catch((error: unknown) => {
    if (overdue?.aborted !== true || context.signal.aborted) throw error;
    throw new Error(`pgbackrest ${command} had no answer within ${timeoutSeconds} seconds`, { cause: error });
  });
  if (result.exitCode !== 0) throw failure(command, result, complaints);
  return result.stdout;
}

/** The commands that read a repository as of a time: https://pgbackrest.org/configuration.html#section-repository/option-repo-target-time */
const READING = new Set(["archive-get", "info", "repo-get", "repo-ls", "restore"]);

function readingOptions(
  { asOf }: AgentConfiguration["physical"],
  command: string,
  options: readonly string[],
): string[] {
  if (asOf === undefined) return [];
  if (!READING.has(command)) throw new Error(`${command} is nothing for a repository as of ${asOf.time}`);
  const repository = options.some((option) => option.startsWith("--repo=")) ? [] : ["--repo=1"];
  return [...repository, `--repo-target-time=${asOf.time}`];
}

/** What a recovering server gets its log by. */
export function restoreCommand(
  configuration: Pick<AgentConfiguration, "physical">,
  repository: string,
  directory: string,
): string {
  const { stanza, asOf } = configuration.physical;
  const get = (file: string, options: string) =>
    `pgbackrest --config=${file} --stanza=${stanza} ${options}--pg1-path=${directory} archive-get %f "%p"`;
  const file = repositoryConfigurationFile(configuration, repository);
  if (asOf === undefined) return get(file, "");
  // A timeline that was begun later is seen, so that its number is not taken again.
  const history = `case %f in *.history) ${get(asOf.present, "")};; *) exit 1;; esac`;
  return `${get(file, `--repo=1 --repo-target-time="${asOf.time}" `)} || ${history}`;
}

/** pgBackRest's configuration that knows one repository alone, which another one that is away does not hold up. */
export function repositoryConfigurationFile(
  { physical }: Pick<AgentConfiguration, "physical">,
  repository: string,
): string {
  const { configurationFile, repositories } = physical;
  if (repositories.length < 2) return configurationFile;
  return join(dirname(configurationFile), `pgbackrest-${repository}.conf`);
}

/** Puts one file of the write-ahead log into the archive of one repository. */
export async function archivePush(
  configuration: Pick<AgentConfiguration, "physical">,
  repository: string,
  { path, timeoutSeconds }: { readonly path: string; readonly timeoutSeconds: number },
  context: Pick<Context, "signal">,
): Promise<void> {
  const configurationFile = repositoryConfigurationFile(configuration, repository);
  const physical = { ...configuration.physical, configurationFile };
  await pgbackrest({ physical }, "archive-push", { path: [path], timeoutSeconds, context });
}

/** Exit codes: src/common/error/error.auto.c.inc of pgBackRest. */
const CRYPTO = 95;

function failure(command: string, result: ProgramResult, complaints: readonly string[]): Error {
  const said = [...complaints, result.stdout, result.stderr].join("\n");
  const lines = said.split("\n");
  const first = lines.findIndex((line) => /ERROR: /.test(line));
  const words = lines[first]?.replace(/^.*ERROR: \[\d+\]: (raised from \S+ \S+: )?/, "").trim();
  // What ends with a colon goes on with a line for each repository.
  const error = words?.endsWith(":") ? `${words} ${(lines[first + 1] ?? "").trim()}` : words;
  if (result.exitCode === CRYPTO || /unable to flush|cipher/i.test(error ?? "")) {
    return new Refusal(
      `the repository cannot be read with the stack's encryption key: ${error ?? "it was encrypted with another"}`,
    );
  }
  return new ProgramFailed(`pgbackrest ${command}`, result.exitCode, error ?? said);
}
