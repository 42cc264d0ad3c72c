import { spawn } from "node:child_process";
import { UserError } from "../operations/user-error.ts";
import { POLICIES, PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { explainPassphrase } from "../toolchain/opens.mjs";
import { runToEnd } from "./pulumi.ts";

/**
 * For a stack that a command makes after another one, for an upgrade or its rehearsal: until it is in use it has no object
 * storage of its own, and an exception names the old one.
 */
export const WITHOUT_POLICIES = { PGSTACK_POLICIES: "skip" };

/**
 * Runs `pulumi up` with this process's own terminal, from which it gets Ctrl-C by itself.
 *
 * @returns Its exit code.
 * @throws UserError for a passphrase that opens nothing.
 */
export async function pulumiUp(
  stack: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { withStateSaved } = await import("../toolchain/state-backups.mjs");
  const { releaseDeadLocks } = await import("../toolchain/state-locks.mjs");
  await releaseDeadLocks(stack, process.env);
  const color = process.stdout.isTTY ? "always" : "never";
  const options = [
    "--yes",
    "--skip-preview",
    "--suppress-outputs",
    "--non-interactive",
    "--color",
    color,
    "--stack",
    stack,
  ];
  const code = await withStateSaved(stack, { ...process.env, ...environment }, async (env) => {
    const child = spawn("pulumi", ["up", ...POLICIES, ...options], {
      ...{ cwd: PROJECT_DIRECTORY, env, stdio: "inherit" },
    });
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (ended) => resolve(ended ?? 1));
    });
  });
  if (code !== 0) await explainPassphrase(stack, process.env);
  return code;
}

/**
 * Runs `pulumi` in a process group of its own, so that Ctrl-C leaves it to end what it has begun.
 *
 * @throws UserError with the end of what it said when it fails.
 */
export async function runPulumiQuietly(
  stack: string,
  programArguments: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { withStateSaved } = await import("../toolchain/state-backups.mjs");
  const { releaseDeadLocks } = await import("../toolchain/state-locks.mjs");
  await releaseDeadLocks(stack, process.env);
  const all = [...programArguments, "--non-interactive", "--color", "never", "--stack", stack];
  const { code, output } = await withStateSaved(stack, { ...process.env, ...environment }, (env) =>
    runToEnd(all, { env, detached: true }),
  );
  if (code === 0) return;
  const errors = output.split("\n").filter((line) => /^\s*error:/.test(line));
  const reason = errors.length === 0 ? output.trim().split("\n").slice(-3) : errors;
  throw new UserError(
    `pulumi ${programArguments[0]} of stack ${stack} failed: ${reason.map((line) => line.trim().replace(/^error: /, "")).join("; ")}`,
  );
}
