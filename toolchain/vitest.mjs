import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";
import { runAttached } from "./run.mjs";

/** @typedef {{passed: number, failed: number}} Count */

/**
 * Runs tests of one schedule.
 *
 * @param {object} options
 * @param {"default" | "long"} options.schedule
 * @param {string} options.node
 * @param {NodeJS.ProcessEnv} options.environment
 * @param {readonly string[]} options.files Parts of their names; none: all.
 * @param {boolean} [options.atEnd] Its words are told when it has ended.
 * @returns {Promise<Count>}
 */
export async function runTests({ schedule, node, environment, files, atEnd = false }) {
  const folder = await mkdtemp(join(tmpdir(), "pgstack-test-"));
  const report = join(folder, "report.json");
  try {
    const vitest = join(PROJECT_DIRECTORY, "node_modules", "vitest", "vitest.mjs");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const code = await runAttached(node, [vitest, "run", ...reporters, ...files], {
      cwd: PROJECT_DIRECTORY,
      env: { ...environment, PGSTACK_TEST_SCHEDULE: schedule },
      atEnd,
    });
    const {
      numPassedTests: passed = 0,
      numFailedTests: failed = 0,
      numTotalTests = 0,
    } = JSON.parse(await readFile(report, "utf8").catch(() => "{}"));
    // A run that broke before or beside its tests counts, so does a run of none, and a test that was passed over.
    const silent = numTotalTests === 0 || passed + failed < numTotalTests;
    return { passed, failed: failed === 0 && (code !== 0 || silent) ? 1 : failed };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
