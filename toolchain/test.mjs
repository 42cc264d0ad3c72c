import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";
import { runLongTests } from "./long-tests.mjs";
import { runMain } from "./main.mjs";
import { readOptions } from "./options.mjs";
import { runAttached } from "./run.mjs";
import { setUp } from "./set-up.mjs";
import { add, runTests } from "./vitest.mjs";

const HELP = `npm test [-- FILE ...]        format, lint and type check, then the unit, integration and fault tests
npm run test:long            longer fault schedules and soak runs

  FILE   parts of test files' names: only those run`;

const started = performance.now();

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
  // What runs is told as well and ends by itself; nothing more begins.
  const told = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => told.abort());
  /** @type {import("./vitest.mjs").Count} */
  const count = { passed: 0, failures: [] };
  if (!values.long && positionals.length === 0) await checkSources(node, environment, count);
  const all = { node, environment, files: positionals };
  const schedule = values.long ? "long" : "default";
  if (!told.signal.aborted) add(count, await runTests({ ...all, schedule }));
  if (values.ci) add(count, await runLongTests({ node, environment, started, told: told.signal }));
  for (const failure of count.failures) console.log(`\n✗ ${failure}`);
  console.log(`\n${count.passed} passed, ${count.failures.length} failed`);
  if (told.signal.aborted) return 130;
  return count.failures.length === 0 ? 0 : 1;
});

/**
 * @param {string} node
 * @param {NodeJS.ProcessEnv} env
 * @param {import("./vitest.mjs").Count} count
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
    else count.failures.push(name);
  }
}
