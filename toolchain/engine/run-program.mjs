import { spawn } from "node:child_process";

import { UserError } from "../user-error.mjs";

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] the whole environment; the caller's own by default
 * @property {string} [input] text for the standard input
 * @property {string} [purpose] what the program is run for, named in the error
 */

/**
 * Runs a program to its end and gives back what it printed.
 *
 * @param {string} program
 * @param {string[]} programArguments
 * @param {RunOptions} [options]
 * @returns {Promise<string>} the standard output
 * @throws {UserError} with the last lines of its output, where it cannot run or fails
 */
export function runProgram(program, programArguments, options = {}) {
  const { cwd, env = process.env, input, purpose = program } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, programArguments, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
    /** @type {Buffer[]} */
    const output = [];
    /** @type {Buffer[]} */
    const errors = [];
    child.stdout.on("data", (chunk) => output.push(chunk));
    child.stderr.on("data", (chunk) => errors.push(chunk));
    // A program that exits without reading its input is judged by its exit code.
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    child.on("error", (cause) => {
      reject(new UserError(`${purpose}: cannot run ${program} (${cause.message})`, { cause }));
    });
    child.on("close", (code, signal) => {
      const standardOutput = Buffer.concat(output).toString("utf8");
      if (code === 0) {
        resolve(standardOutput);
        return;
      }
      const printed = Buffer.concat(errors).toString("utf8") || standardOutput;
      const ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
      reject(new UserError(`${purpose}: ${program} failed with ${ending}: ${lastLines(printed)}`));
    });
  });
}

/**
 * The end of a program's output, on one line.
 *
 * @param {string} text
 * @param {number} [count]
 * @returns {string}
 */
export function lastLines(text, count = 4) {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.slice(-count).join(" | ");
}
