import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";
import { run } from "./run.mjs";
import { add, runTests } from "./vitest.mjs";

/** A whole run is to end within the hour or little more; the longest of these files take 20 minutes on a slow machine. */
const LAST_BEGIN_MINUTES = 52;
const AT_ONCE = 2;

/**
 * The long tests of continuous integration, file by file as long as there is time to begin one; those that are left are named.
 * Where to begin differs from commit to commit, so that on a slow machine each has its turn.
 *
 * @param {object} options
 * @param {string} options.node
 * @param {NodeJS.ProcessEnv} options.environment
 * @param {number} options.started When the whole run began, in milliseconds of performance.now().
 * @param {AbortSignal} options.told No more begins when it is set off.
 * @returns {Promise<import("./vitest.mjs").Count>}
 */
export async function runLongTests({ node, environment, started, told }) {
  const files = await inTurn();
  /** @type {import("./vitest.mjs").Count} */
  const count = { passed: 0, failures: [] };
  const work = async () => {
    for (;;) {
      if (told.aborted || performance.now() - started > LAST_BEGIN_MINUTES * 60_000) return;
      const file = files.shift();
      if (file === undefined) return;
      add(count, await runTests({ schedule: "long", node, environment, files: [file], atEnd: true }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (files.length > 0 && !told.aborted)
    console.log(`\nNo time was left for ${files.join(", ")}: npm run test:long runs them`);
  return count;
}

/** @returns {Promise<string[]>} Paths below the project. */
async function inTurn() {
  const names = await readdir(join(PROJECT_DIRECTORY, "test", "long"));
  const files = names.filter((name) => name.endsWith(".test.ts")).toSorted();
  const commit = await run("git", ["rev-parse", "HEAD"], { cwd: PROJECT_DIRECTORY });
  const first = Number.parseInt(commit.slice(0, 8), 16) % files.length;
  return [...files.slice(first), ...files.slice(0, first)].map((name) => `test/long/${name}`);
}
