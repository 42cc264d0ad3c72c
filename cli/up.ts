import { spawn } from "node:child_process";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";

/** Runs `pulumi up` with this process's own terminal, from which it gets Ctrl-C by itself. @returns Its exit code. */
export async function pulumiUp(stack: string): Promise<number> {
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
  return await new Promise((resolve, reject) => {
    const child = spawn("pulumi", ["up", ...options], { cwd: PROJECT_DIRECTORY, stdio: "inherit" });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}
