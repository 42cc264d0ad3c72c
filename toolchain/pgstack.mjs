import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { cacheDirectory, PROJECT_DIRECTORY } from "./directories.mjs";
import { readRecord, toolVariables, withTools } from "./environment.mjs";
import { readOptions, UsageError } from "./options.mjs";
import { UserError } from "./user-error.mjs";

// Starts the command line: sets up what is missing, then hands over to Node.js 24. `doctor` and `clean` come before
// that, since they are for when the set-up does not work; what only explains needs no set-up either.

const OLDEST_MAJOR = 24;

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(`pgstack: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

/** @param {string[]} words */
async function main(words) {
  const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
  const helpAsked = words.length === 0 || own.some((word) => word === "-h" || word === "--help");
  const command = firstCommand(words);
  if (!helpAsked && (command === "doctor" || command === "clean")) return withoutSetUp(command, words);
  if (helpAsked || command === "help" || command === "completion") {
    const light = await presentNode();
    if (light !== undefined) return handOver(light.node, light.environment, words);
  }
  const { setUp } = await import("./set-up.mjs");
  const { node, environment } = await setUp();
  return handOver(node, environment, words);
}

/** The command among the words; the value of --stack is none. @param {string[]} words */
function firstCommand(words) {
  const rest = words[0] === "--stack" ? words.slice(2) : words;
  return rest.find((word) => !word.startsWith("-"));
}

/** Node.js 24 and the packages, when they are there already. */
async function presentNode() {
  if (!existsSync(join(PROJECT_DIRECTORY, "node_modules", "commander", "package.json"))) return undefined;
  const record = await readRecord();
  if (record !== undefined && existsSync(record.node)) {
    return { node: record.node, environment: withTools(toolVariables(record, cacheDirectory())) };
  }
  const own = Number(process.versions.node.split(".")[0]) >= OLDEST_MAJOR;
  return own ? { node: process.execPath, environment: process.env } : undefined;
}

/**
 * @param {"doctor" | "clean"} command
 * @param {string[]} words
 */
async function withoutSetUp(command, words) {
  const stack = { stack: { type: /** @type {const} */ ("string") } };
  const flag = { type: /** @type {const} */ ("boolean"), default: false };
  const help = `pgstack ${command} --help`;
  if (command === "doctor") {
    const { values } = readOptions(
      { args: words, allowPositionals: true, options: { ...stack, json: flag } },
      help,
    );
    const { doctor } = await import("./doctor.mjs");
    const only = values.stack ?? process.env.PGSTACK_STACK;
    return await doctor({ json: values.json, ...(only ? { stack: only } : {}) });
  }
  const options = { ...stack, cache: flag, data: flag, yes: flag };
  const { values } = readOptions({ args: words, allowPositionals: true, options }, help);
  const { clean } = await import("./clean.mjs");
  return await clean(values);
}

/**
 * Runs the command line with this process's terminal, and ends as it ends.
 *
 * @param {string} node
 * @param {NodeJS.ProcessEnv} env
 * @param {string[]} words
 * @returns {Promise<number>}
 */
function handOver(node, env, words) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [join(PROJECT_DIRECTORY, "cli", "main.ts"), ...words], {
      env,
      stdio: "inherit",
    });
    for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP", "SIGQUIT"]))
      process.on(signal, () => child.kill(signal));
    // From a terminal Ctrl-C reaches the child by itself; twice would be taken for impatience.
    process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
    child.on("error", (cause) => reject(new UserError(`cannot run ${node}: ${cause.message}`, { cause })));
    child.on("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGTERM"]));
  });
}
