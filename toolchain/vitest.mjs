import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { PROJECT_DIRECTORY } from "./directories.mjs";
import { runAttached } from "./run.mjs";

/**
 * @typedef {{passed: number, failures: string[]}} Count `failures`: a text for each that failed, with its first lines: who
 *   reads only the end of a log sees what to look for.
 */

/**
 * @param {Count} count
 * @param {Count} more
 */
export function add(count, more) {
  count.passed += more.passed;
  count.failures.push(...more.failures);
}

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
    return count(JSON.parse(await readFile(report, "utf8").catch(() => "{}")), { code, schedule, files });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {Report} report As vitest writes it, after Jest's.
 * @param {{code: number, schedule: string, files: readonly string[]}} run
 * @returns {Count}
 *
 * @typedef {object} Report
 * @property {number} [numPassedTests]
 * @property {number} [numTotalTests]
 * @property {FileReport[]} [testResults]
 *
 * @typedef {object} FileReport
 * @property {string} name
 * @property {string} status
 * @property {string} message
 * @property {{status: string, fullName: string, failureMessages?: string[]}[]} assertionResults
 */
function count(
  { numPassedTests: passed = 0, numTotalTests = 0, testResults = [] },
  { code, schedule, files },
) {
  const failures = testResults.flatMap(failuresOfFile);
  // A run that broke before or beside its tests counts, so does a run of none, and a test that was passed over.
  if (failures.length === 0 && (code !== 0 || numTotalTests === 0 || passed < numTotalTests))
    failures.push(
      `${files.join(" ") || `the ${schedule} tests`}: ${passed} of ${numTotalTests} passed, exit code ${code}`,
    );
  return { passed, failures };
}

/** @param {FileReport} file */
function failuresOfFile({ name, status, message, assertionResults }) {
  const file = relative(PROJECT_DIRECTORY, name);
  const failures = assertionResults
    .filter((test) => test.status === "failed")
    .map((test) => `${file}: ${test.fullName}\n${beginning((test.failureMessages ?? []).join("\n"))}`);
  // Without a test of its own that failed it is the file as a whole: what it imports, or what it does around its tests.
  return failures.length === 0 && status === "failed"
    ? [`${file}\n${beginning(message)}`.trimEnd()]
    : failures;
}

/** @param {string} text */
function beginning(text) {
  const lines = stripVTControlCharacters(text).trimEnd().split("\n");
  const own = lines.filter((line) => !line.includes("node_modules")).slice(0, 8);
  return own.map((line) => `    ${line.slice(0, 240)}`).join("\n");
}
