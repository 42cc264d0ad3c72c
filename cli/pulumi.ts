import { spawn } from "node:child_process";
import { UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { isWrongPassphrase, wrongPassphrase } from "../toolchain/passphrase.mjs";
import { unreadableState } from "../toolchain/state-backups.mjs";
import { NotProvisioned, UnreadableState, WrongPassphrase } from "./exit-codes.ts";

/** How a run of `pulumi` ended. */
export interface PulumiEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order of their arrival. */
  readonly output: string;
}

/** How `pulumi` is run. */
export interface PulumiOptions {
  /** Default: the project. */
  readonly cwd?: string;
  /** Default: this process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** What it reads; secrets go this way, as arguments are seen in process lists. */
  readonly input?: string;
  /** Has it end by itself, as Ctrl-C does. */
  readonly signal?: AbortSignal;
  /** In a process group of its own, so that Ctrl-C leaves it to end what it has begun. Default: false. */
  readonly detached?: boolean;
}

/** Runs `pulumi` and keeps what it says, however it ends. @throws UserError when there is no such program. */
export async function runToEnd(words: readonly string[], options: PulumiOptions = {}): Promise<PulumiEnd> {
  const { cwd = PROJECT_DIRECTORY, env = process.env, input = "", signal, detached = false } = options;
  signal?.throwIfAborted();
  const child = spawn("pulumi", words, {
    ...{ cwd, env, stdio: ["pipe", "pipe", "pipe"], detached, killSignal: "SIGINT" },
    ...(signal === undefined ? {} : { signal }),
  });
  const said = { stdout: "", stderr: "", output: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (piece: string) => {
      said[stream] += piece;
      said.output += piece;
    });
  }
  // One that ends without reading is judged by its exit code.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? notThere() : error),
    );
    child.once("close", (ended) => resolve(ended ?? 1));
  });
  return { code, ...said };
}

/**
 * Runs `pulumi` in the project and returns what it prints.
 *
 * @throws NotProvisioned when it knows no such stack; WrongPassphrase, UnreadableState; UserError with its own last words
 * otherwise.
 */
export async function pulumi(stack: string, ...words: readonly string[]): Promise<string> {
  return await runPulumi(stack, words);
}

/** Sets a secret of a stack's config, which goes by standard input: arguments are seen in process lists. */
export async function setSecret(stack: string, path: string, secret: string): Promise<void> {
  await runPulumi(stack, ["config", "set", "--secret", "--path", `pgstack:${path}`], { input: secret });
}

/** The same as {@link pulumi}, elsewhere or with something to read. */
export async function runPulumi(
  stack: string,
  words: readonly string[],
  options: PulumiOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await runToEnd([...words, "--stack", stack, "--non-interactive"], options);
  if (code === 0) return stdout;
  if (isWrongPassphrase(stderr)) throw new WrongPassphrase(wrongPassphrase(stack, options.env));
  const damaged = /failed to load checkpoint: (.*)/.exec(stderr)?.[1];
  if (damaged !== undefined) throw new UnreadableState(unreadableState(stack, damaged));
  if (/no stack named/.test(stderr)) {
    throw new NotProvisioned(`there is no stack ${stack}: npm start -- --stack ${stack} brings it up`);
  }
  const called = words.slice(0, 2).join(" ");
  throw new UserError(`pulumi ${called} failed: ${lastWords(stderr) || `exit code ${code}`}`);
}

function notThere(): UserError {
  return new UserError(
    "the program pulumi is not there: run npm start, or call ./pgstack in the project's folder",
  );
}

function lastWords(stderr: string): string {
  const lines = stderr.trim().split("\n");
  return (lines.findLast((line) => line.startsWith("error:")) ?? lines.at(-1) ?? "").replace(
    /^error:\s*/,
    "",
  );
}
