import { spawn } from "node:child_process";
import { UserError } from "./user-error.mjs";

/** Ends every child process when the set-up is interrupted. */
export const interruption = new AbortController();

/**
 * Runs a program quietly; what it printed is told only when it fails.
 *
 * @param {string} program
 * @param {string[]} programArguments
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, note?: (line: string) => void}} [options]
 * @returns {Promise<string>} its standard output
 */
export function run(program, programArguments, { cwd, env = process.env, note } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, programArguments, {
      cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      signal: interruption.signal,
      killSignal: "SIGTERM",
    });
    let output = "";
    let everything = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
      everything += chunk;
    });
    child.stderr.on("data", (chunk) => {
      everything += chunk;
      note?.(String(chunk).trimEnd().split("\n").at(-1) ?? "");
    });
    child.on("error", (cause) => {
      const reason = interruption.signal.aborted ? "interrupted" : `cannot run ${program}: ${cause.message}`;
      reject(new UserError(reason, { cause }));
    });
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else
        reject(
          new UserError(
            `${program} ${programArguments[0] ?? ""} failed (exit code ${code}):\n${essence(everything)}`,
          ),
        );
    });
  });
}

/**
 * Runs a program with this process's own terminal.
 *
 * @param {string} program
 * @param {string[]} programArguments
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, atEnd?: boolean}} [options] `atEnd`: what it prints is told when it has ended,
 *   and it reads nothing: two at once would speak at cross-purposes.
 * @returns {Promise<number>} its exit code
 */
export function runAttached(program, programArguments, { cwd, env = process.env, atEnd = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, programArguments, {
      cwd,
      env,
      stdio: atEnd ? ["ignore", "pipe", "pipe"] : "inherit",
    });
    /** @type {Buffer[]} */
    const said = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (piece) => said.push(piece));
    // The terminal sends Ctrl-C to the child as well; it decides how to end, and we follow.
    const follow = () => {};
    const end = () => child.kill("SIGTERM");
    process.on("SIGINT", follow);
    process.on("SIGTERM", end);
    child.on("error", (cause) => reject(new UserError(`cannot run ${program}: ${cause.message}`, { cause })));
    child.on("close", (code, signal) => {
      process.off("SIGINT", follow);
      process.off("SIGTERM", end);
      process.stdout.write(Buffer.concat(said));
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}

/**
 * The beginning and the end of what a program printed: some tell the reason first, some last.
 *
 * @param {string} text
 */
function essence(text) {
  const lines = text.trimEnd().split("\n");
  return (lines.length <= 16 ? lines : [...lines.slice(0, 8), "…", ...lines.slice(-7)]).join("\n");
}
