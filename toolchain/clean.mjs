import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { cacheDirectory, engineDirectory, STATE_DIRECTORY } from "./directories.mjs";
import { engineStatus, removeEngine, stopEngine } from "./engine/index.mjs";
import { ownStacks } from "./own-stacks.mjs";
import { UserError } from "./user-error.mjs";

/** A process that is just ending may still write into the cache. */
const PATIENCE = { maxRetries: 10, retryDelay: 200 };
/** What must be typed before data goes. */
const WORD = "delete";

/**
 * @typedef {object} CleanOptions
 * @property {boolean} cache also the tools that all checkouts share
 * @property {boolean} data also the stacks' state and the private engine's volumes
 * @property {boolean} yes no question, also for stacks that still have resources
 */

/**
 * Removes what the set-up made: always what can be had again, data only when asked and confirmed. Prints what will go
 * before anything goes.
 *
 * @param {CleanOptions} options
 * @returns {Promise<number>} exit code
 */
export async function clean(options) {
  const stacks = options.data ? await ownStacks() : [];
  const alive = stacks.filter(({ resources }) => resources !== 0);
  if (alive.length > 0 && !options.yes) {
    const names = alive.map(({ name }) => name).join(", ");
    throw new UserError(
      `--data would strand what stack ${names} still has: run pulumi destroy for it first, or add --yes to give it up`,
    );
  }
  const engine = await privateEngine();
  const plan = planOf(
    options,
    engine,
    alive.map(({ name }) => name),
  );
  if (plan.length === 0) {
    console.log("Nothing is left of the set-up here.");
    return 0;
  }
  console.log(`This goes:\n${plan.map(({ what, where }) => `  ${what}: ${where}`).join("\n")}`);
  if (options.data && !options.yes) await confirm();
  for (const { carryOut } of plan) await carryOut();
  console.log("Done. npm start sets everything up again.");
  return 0;
}

/** @returns {Promise<{home: string, there: boolean, running: boolean}>} */
async function privateEngine() {
  const home = engineDirectory();
  const there = existsSync(home);
  return { home, there, running: there && (await engineStatus({ home })).pid !== undefined };
}

/**
 * @param {CleanOptions} options
 * @param {{home: string, there: boolean, running: boolean}} engine
 * @param {string[]} stranded
 */
function planOf({ cache, data }, { home, there, running }, stranded) {
  const log = (/** @type {string} */ line) => console.log(`  ${line}`);
  const stop = running
    ? [
        {
          what: "stopped, with every database in it",
          where: `the private Docker engine in ${home}`,
          carryOut: () => stopEngine({ home, log }),
        },
      ]
    : [];
  const destroy = there
    ? [
        {
          what: "THE PRIVATE ENGINE WITH ALL IMAGES, VOLUMES AND DATABASES, of every checkout",
          where: home,
          carryOut: () => removeEngine({ home, log }),
        },
      ]
    : [];
  const lost = stranded.length === 0 ? "" : `, of stack ${stranded.join(", ")} that STILL HAS RESOURCES`;
  return [
    ...(data ? destroy : stop),
    ...removal("what the set-up found", join(STATE_DIRECTORY, "environment.json")),
    ...removal("Pulumi's home", join(STATE_DIRECTORY, "pulumi")),
    ...(cache ? removal("the tools of all checkouts", cacheDirectory()) : []),
    ...(data ? removal(`THE STACKS' STATE${lost}`, join(STATE_DIRECTORY, "state")) : []),
    ...(data ? removal("the saved states", join(STATE_DIRECTORY, "state-backups")) : []),
    ...(data ? removal("THE PASSPHRASE of the stacks' secrets", join(STATE_DIRECTORY, "passphrase")) : []),
    ...(data ? removal("links and authorities for clients", join(STATE_DIRECTORY, "stacks")) : []),
  ];
}

/**
 * @param {string} what
 * @param {string} path
 */
function removal(what, path) {
  if (!existsSync(path)) return [];
  return [{ what, where: path, carryOut: () => rm(path, { recursive: true, force: true, ...PATIENCE }) }];
}

async function confirm() {
  if (!process.stdin.isTTY)
    throw new UserError("--data asks on a terminal before data goes; without one add --yes");
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  questions.on("SIGINT", () => process.exit(130));
  const answer = await questions.question(`The data can't be had again. Type ${WORD} to go on: `);
  questions.close();
  if (answer.trim() !== WORD) throw new UserError("nothing was removed");
}
