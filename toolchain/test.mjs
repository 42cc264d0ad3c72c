import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";
import { runMain } from "./main.mjs";
import { readOptions } from "./options.mjs";
import { runAttached } from "./run.mjs";
import { setUp } from "./set-up.mjs";

const HELP = `npm test [-- FILE ...]        format, lint and type check, then the unit, integration and fault tests
npm run test:long            longer fault schedules and soak runs

  FILE   parts of test files' names: only those run`;

await runMain(async () => {
  const flag = { type: /** @type {const} */ ("boolean") };
  const { values, positionals } = readOptions(
    { allowPositionals: true, options: { long: flag, ci: flag, help: flag } },
    "npm test -- --help",
  );
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const { environment, node } = await setUp();
  const count = { passed: 0, failed: 0 };
  if (!values.long && positionals.length === 0) await checkSources(node, environment, count);
  if (!values.long) await runTests("default", node, environment, positionals, count);
  if (values.long || values.ci) await runTests("long", node, environment, positionals, count);
  console.log(`\n${count.passed} passed, ${count.failed} failed`);
  return count.failed === 0 ? 0 : 1;
});

/**
 * @param {string} node
 * @param {NodeJS.ProcessEnv} env
 * @param {{passed: number, failed: number}} count
 */
async function checkSources(node, env, count) {
  const checks = [
    {
      name: "format and lint",
      script: "node_modules/@biomejs/biome/bin/biome",
      options: ["check", "--error-on-warnings"],
    },
    { name: "types", script: "node_modules/typescript/bin/tsc", options: [] },
  ];
  for (const { name, script, options } of checks) {
    const code = await runAttached(node, [join(PROJECT_DIRECTORY, script), ...options], {
      cwd: PROJECT_DIRECTORY,
      env,
    });
    console.log(`${code === 0 ? "✓" : "✗"} ${name}`);
    if (code === 0) count.passed += 1;
    else count.failed += 1;
  }
}

/**
 * @param {"default" | "long"} schedule
 * @param {string} node
 * @param {NodeJS.ProcessEnv} env
 * @param {string[]} files
 * @param {{passed: number, failed: number}} count
 */
async function runTests(schedule, node, env, files, count) {
  const folder = await mkdtemp(join(tmpdir(), "pgstack-test-"));
  const report = join(folder, "report.json");
  try {
    const vitest = join(PROJECT_DIRECTORY, "node_modules", "vitest", "vitest.mjs");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const code = await runAttached(node, [vitest, "run", ...reporters, ...files], {
      cwd: PROJECT_DIRECTORY,
      env: { ...env, PGSTACK_TEST_SCHEDULE: schedule },
    });
    const {
      numPassedTests = 0,
      numFailedTests = 0,
      numTotalTests = 0,
    } = JSON.parse(await readFile(report, "utf8").catch(() => "{}"));
    count.passed += numPassedTests;
    count.failed += numFailedTests;
    // A run that broke before or beside its tests counts, so does a run of none, and a test that was passed over.
    const silent = numTotalTests === 0 || numPassedTests + numFailedTests < numTotalTests;
    if (numFailedTests === 0 && (code !== 0 || silent)) count.failed += 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
