import { existsSync } from "node:fs";
import { join } from "node:path";
import { POLICIES, PROJECT_DIRECTORY } from "./directories.mjs";
import { runMain } from "./main.mjs";
import { explainPassphrase } from "./opens.mjs";
import { readOptions } from "./options.mjs";
import { checkpointFile, isOwnBackend } from "./own-stacks.mjs";
import { isWrongPassphrase, wrongPassphrase } from "./passphrase.mjs";
import { run, runAttached } from "./run.mjs";
import { setUp } from "./set-up.mjs";
import { withStateSaved } from "./state-backups.mjs";
import { releaseDeadLocks } from "./state-locks.mjs";
import { UserError } from "./user-error.mjs";

const HELP = `npm start [-- --stack NAME] [-- --preview]

Sets everything up that is missing, then brings the stack (default: dev) to what its settings say.
  --stack NAME   the stack: dev, ci, staging, prod, or one of your own with a file Pulumi.NAME.yaml
  --preview      show what would change, change nothing
  --help         this text`;

await runMain(async () => {
  const { stack, preview, help } = readArguments();
  if (help) {
    console.log(HELP);
    return 0;
  }
  const { environment } = await setUp();
  await selectStack(stack, environment);
  await releaseDeadLocks(stack, environment);
  // The preview of an up would run the program twice; a plain up shows each step as it happens.
  const options = [
    "--stack",
    stack,
    "--non-interactive",
    "--color",
    process.stdout.isTTY ? "always" : "never",
  ];
  const pulumi = (/** @type {NodeJS.ProcessEnv} */ env, /** @type {string[]} */ ...command) =>
    runAttached("pulumi", [...command, ...POLICIES, ...options], { cwd: PROJECT_DIRECTORY, env });
  const code = preview
    ? await pulumi(environment, "preview")
    : await withStateSaved(stack, environment, (env) => pulumi(env, "up", "--yes", "--skip-preview"));
  if (code !== 0) await explainPassphrase(stack, environment);
  if (code !== 0 || preview) return code;
  await runAttached(
    process.execPath,
    [join(PROJECT_DIRECTORY, "toolchain", "pgstack.mjs"), "--stack", stack, "status"],
    { cwd: PROJECT_DIRECTORY, env: environment },
  );
  console.log(nextSteps(stack));
  return code;
});

/** @returns {{stack: string, preview: boolean, help: boolean}} */
function readArguments() {
  const { values } = readOptions(
    {
      options: {
        stack: { type: "string", default: process.env.PGSTACK_STACK || "dev" },
        preview: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    },
    "npm start -- --help",
  );
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(values.stack)) {
    throw new UserError(
      `--stack is "${values.stack}": letters, digits, "-", "_" and "." make a stack's name; npm start -- --help tells the options`,
    );
  }
  return values;
}

/**
 * @param {string} stack
 * @param {NodeJS.ProcessEnv} environment
 */
async function selectStack(stack, environment) {
  if (isOwnBackend(environment) && existsSync(checkpointFile(stack))) return;
  try {
    await run("pulumi", ["stack", "select", "--create", "--stack", stack, "--non-interactive"], {
      cwd: PROJECT_DIRECTORY,
      env: environment,
    });
  } catch (error) {
    if (isWrongPassphrase(String(error))) throw new UserError(wrongPassphrase(stack, environment));
    throw error;
  }
}

/** @param {string} stack */
function nextSteps(stack) {
  const option = stack === "dev" ? "" : ` --stack ${stack}`;
  return `
PostgreSQL is up. Next:
  ./pgstack${option} connection-info           how programs connect (--show-secrets adds the password)
  ./pgstack${option} psql                      a prompt on the database
  ./pgstack${option} health --full             every check at once
  eval "$(./pgstack env)"              then pulumi preview, up, refresh, destroy work in this shell`;
}
