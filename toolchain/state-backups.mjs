import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { PROJECT_DIRECTORY, STATE_DIRECTORY } from "./directories.mjs";
import { checkpointFile, isOwnBackend, ownStacks } from "./own-stacks.mjs";
import { run } from "./run.mjs";
import { UserError } from "./user-error.mjs";
import { writeWhole } from "./write-whole.mjs";

/** Set for Pulumi's program when its starter saves the state itself, before and after. */
const SAVED_BY_STARTER = { PGSTACK_STATE_SAVED: "1" };

/**
 * Whether the program has to save the state, since it was not started by `npm start` or `pgstack`.
 *
 * @param {NodeJS.ProcessEnv} environment
 */
export function isUnsaved(environment) {
  return environment.PGSTACK_STATE_SAVED !== SAVED_BY_STARTER.PGSTACK_STATE_SAVED;
}

/** The newest ones that are kept, whatever their age. */
const KEPT_NEWEST = 30;
/** Days whose newest one is kept besides. */
const KEPT_DAYS = 30;
const NAME = /^(\d{8}T\d{9}Z)-[0-9a-f]{12}\.json$/;

/**
 * A saved state of a stack.
 *
 * @typedef {object} SavedState
 * @property {string} id name of its file without `.json`; sorts by time
 * @property {string} path
 * @property {string} savedAt ISO 8601
 */

/**
 * Where a stack's saved states are: beside Pulumi's own folder, or where PGSTACK_STATE_BACKUPS says.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} [environment]
 */
export function stateBackupsDirectory(stack, environment = process.env) {
  return join(environment.PGSTACK_STATE_BACKUPS || join(STATE_DIRECTORY, "state-backups"), stack);
}

/**
 * Saves a stack's state as it is, encrypted as it is, in the form that `pulumi stack import` takes. Does nothing when there
 * is none, or the newest saved one is the same.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment
 * @param {string} [savedBy] what the saved one is listed as
 * @returns {Promise<SavedState | undefined>} the newest one; undefined when there is none
 * @throws UserError when the state can't be read, or can't be saved
 */
export async function saveState(stack, environment, savedBy = caller()) {
  const exported = await exportState(stack, environment);
  if (exported === undefined) return undefined;
  const text = `${JSON.stringify(exported, undefined, 2)}\n`;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  const directory = stateBackupsDirectory(stack, environment);
  const newest = (await savedStates(stack, environment)).at(-1);
  if (newest?.id.endsWith(hash)) return newest;
  const id = `${new Date().toISOString().replaceAll(/[-:.]/g, "")}-${hash}`;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // Pulumi takes no notice of what it does not know.
    await writeWhole(
      join(directory, `${id}.json`),
      `${JSON.stringify({ ...exported, savedBy }, undefined, 2)}\n`,
    );
  } catch (error) {
    throw new UserError(
      `the state of stack ${stack} can't be saved: ${error instanceof Error ? error.message : error}; PGSTACK_STATE_BACKUPS names another folder`,
      { cause: error },
    );
  }
  await prune(stack, environment);
  return savedStateOf(directory, `${id}.json`);
}

/**
 * Does work that changes a stack, with its state saved before and after.
 *
 * @template Value
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment
 * @param {(environment: NodeJS.ProcessEnv) => Promise<Value>} work
 * @returns {Promise<Value>}
 */
export async function withStateSaved(stack, environment, work) {
  await saveState(stack, environment, `before ${caller()}`);
  const value = await work({ ...environment, ...SAVED_BY_STARTER });
  await saveState(stack, environment, `after ${caller()}`);
  return value;
}

/** The command that this process runs, in words. */
function caller() {
  const [, program = "", ...words] = process.argv;
  switch (basename(program)) {
    case "start.mjs":
      return "npm start";
    case "main.ts": {
      const own = words[0] === "--stack" ? words.slice(2) : words;
      return ["pgstack", ...own.filter((word) => /^[a-z]/.test(word)).slice(0, 2)].join(" ");
    }
    default:
      return "pulumi";
  }
}

/**
 * Saves every stack of this checkout's own state.
 *
 * @param {NodeJS.ProcessEnv} environment
 */
export async function saveOwnStates(environment) {
  if (!isOwnBackend(environment)) return;
  for (const { name, resources } of await ownStacks()) if (resources >= 0) await saveState(name, environment);
}

/**
 * A stack's saved states, oldest first.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {Promise<SavedState[]>}
 */
export async function savedStates(stack, environment = process.env) {
  const directory = stateBackupsDirectory(stack, environment);
  const names = (await readdir(directory).catch(() => [])).filter((name) => NAME.test(name)).sort();
  return names.map((name) => savedStateOf(directory, name));
}

/**
 * @param {string} directory
 * @param {string} name
 * @returns {SavedState}
 */
function savedStateOf(directory, name) {
  const [, time = ""] = NAME.exec(name) ?? [];
  const savedAt = time.replace(/^(....)(..)(..)T(..)(..)(..)(...)Z$/, "$1-$2-$3T$4:$5:$6.$7Z");
  return { id: name.replace(/\.json$/, ""), path: join(directory, name), savedAt };
}

/**
 * A stack's outputs as its last successful `up` left them; empty when there was none.
 *
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment
 * @returns {Promise<Record<string, unknown>>} secrets stay encrypted
 */
export async function savedOutputs(stack, environment) {
  const exported = await exportState(stack, environment);
  /** @type {{type: string, outputs?: Record<string, unknown>}[]} */
  const resources = exported?.deployment?.resources ?? [];
  return resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs ?? {};
}

/**
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment
 * @returns {Promise<any>} undefined when there is no such stack
 */
async function exportState(stack, environment) {
  if (!isOwnBackend(environment)) {
    const words = ["stack", "export", "--stack", stack, "--non-interactive"];
    try {
      return JSON.parse(await run("pulumi", words, { cwd: PROJECT_DIRECTORY, env: environment }));
    } catch (error) {
      if (/no stack named/.test(String(error))) return undefined;
      throw error;
    }
  }
  const file = checkpointFile(stack);
  const text = await readFile(file, "utf8").catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const found = parsed(text);
  if (found === undefined) throw new UserError(unreadableState(stack, file));
  const { version, features, checkpoint } = found;
  // A stack that was never brought up has no deployment yet.
  if (checkpoint.latest === undefined) return undefined;
  return { version, ...(features === undefined ? {} : { features }), deployment: checkpoint.latest };
}

/**
 * What to do about a state that is damaged.
 *
 * @param {string} stack
 * @param {string} what
 */
export function unreadableState(stack, what) {
  return (
    `the state of stack ${stack} is damaged and can't be read (${what}): ` +
    `./pgstack --stack ${stack} state restore brings back the newest saved one`
  );
}

/**
 * @param {string} text
 * @returns {{version: number, features?: string[], checkpoint: {latest?: unknown}} | undefined}
 */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value?.checkpoint === "object" && value.checkpoint !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment
 */
async function prune(stack, environment) {
  const newestFirst = (await savedStates(stack, environment)).reverse();
  const days = new Set();
  const oldest = new Date(Date.now() - KEPT_DAYS * 86_400_000).toISOString();
  for (const [index, { path, savedAt }] of newestFirst.entries()) {
    const day = savedAt.slice(0, 10);
    const ofItsDay = !days.has(day);
    days.add(day);
    if (index >= KEPT_NEWEST && !(ofItsDay && savedAt > oldest)) await rm(path, { force: true });
  }
}
