import { Command } from "commander";
import type { BackupEntry } from "../agent/entry.ts";
import type { ShutdownReport } from "../operations/shutdown.ts";
import { errorLine, UserError } from "../operations/user-error.ts";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { interruptionSignal } from "./interruption.ts";
import { stackName, taught } from "./options.ts";
import { note, printLine } from "./print.ts";
import { withProgress } from "./progress.ts";
import type { Stack } from "./stack.ts";

interface ShutdownOptions {
  readonly backup: boolean;
}

/** `pgstack shutdown`. */
export function shutdownCommand(): Command {
  const command = new Command("shutdown")
    .description("Stop the server gracefully after a backup; verify that no process, port or lock is left.")
    .option("--no-backup", "stop without a backup before")
    .action(async (options: ShutdownOptions) => {
      const { openStack } = await import("./stack.ts");
      const { notGraceful } = await import("../operations/shutdown.ts");
      const name = stackName(command);
      const [stack, report] = await locked(name, "a shutdown", async () => {
        const stack = await openStack(name);
        return [stack, await shutdown(stack, options)] as const;
      });
      if (report.wasRunning && report.exitCode !== 0) {
        throw new UserError(`${notGraceful(report)}; pgstack:stopGraceSeconds gives it more time`);
      }
      const stopped = report.wasRunning ? "has stopped" : "had stopped already";
      printLine(
        `${stack.target.container} ${stopped}: no process, no port, no lock is left. pgstack start starts it.`,
      );
    });
  return taught(command, [
    [
      "pgstack shutdown",
      "clients are told, transactions that are open end undone, everything committed is kept",
    ],
    ["pgstack start", "from the volume as it is"],
  ]);
}

/** `pgstack start`. */
export function startCommand(): Command {
  const command = new Command("start")
    .description("Start a server that was shut down, and check that it works.")
    .action(async () => {
      const { openStack } = await import("./stack.ts");
      const name = stackName(command);
      const stack = await locked(name, "a start", async () => {
        const stack = await openStack(name);
        await start(stack);
        return stack;
      });
      printLine(`${stack.target.container} runs and is healthy.`);
    });
  return taught(command, [["pgstack start", "returns when every quick health check has passed"]]);
}

/** `pgstack restart`. */
export function restartCommand(): Command {
  const command = new Command("restart")
    .description("Shut the server down and start it again.")
    .option("--no-backup", "without a backup before")
    .action(async (options: ShutdownOptions) => {
      const { openStack } = await import("./stack.ts");
      const name = stackName(command);
      const stack = await locked(name, "a restart", async () => {
        const stack = await openStack(name);
        const report = await shutdown(stack, options);
        if (report.exitCode !== 0) note((await import("../operations/shutdown.ts")).notGraceful(report));
        await start(stack);
        return stack;
      });
      printLine(`${stack.target.container} was restarted and is healthy.`);
    });
  return taught(command, [["pgstack restart", "connections end; the data stays as it is"]]);
}

/** Nothing else changes the stack meanwhile: an `up` or a restore would find its server gone, or start it again. */
async function locked<Value>(stack: string, what: string, work: () => Promise<Value>): Promise<Value> {
  const { withStackLock } = await import("../operations/lock/stack.ts");
  return await withStackLock(PROJECT_DIRECTORY, stack, `${what} of stack ${stack}`, work);
}

async function shutdown(
  { target, logsDirectory, backupSchedule }: Stack,
  options: ShutdownOptions,
): Promise<ShutdownReport> {
  const { audited } = await import("../operations/audit.ts");
  const { shutDownServer } = await import("../operations/shutdown.ts");
  const parameters: Record<string, unknown> = {};
  return audited({ logsDirectory, stack: target.stack }, "server.shutdown", parameters, async () => {
    if (options.backup && backupSchedule !== undefined && (await canBeBackedUp(target))) {
      parameters.backups = (await backUp(target)).map(({ id }) => id);
    }
    note("stopping the server");
    const report = await shutDownServer(target);
    Object.assign(parameters, report);
    return report;
  });
}

/** A server that has ended, or is held back, has nothing that a backup could be taken of. */
async function canBeBackedUp(target: Stack["target"]): Promise<boolean> {
  const { dockerEngine, findContainer } = await import("../operations/docker.ts");
  const { heldReason } = await import("../operations/held.ts");
  const found = await findContainer(dockerEngine(target.dockerHost), target.container);
  if (found?.State.Running !== true) return false;
  const reason = await heldReason(target);
  if (reason !== undefined) note(`no backup is taken, as the server is held: ${reason}`);
  return reason === undefined;
}

async function backUp(target: Stack["target"]): Promise<BackupEntry[]> {
  const { callAgent } = await import("../operations/agent.ts");
  const signal = interruptionSignal();
  const request = { kind: "incremental", label: "before shutdown", waitSeconds: 600 };
  try {
    return await withProgress((onStep) =>
      callAgent<BackupEntry[]>(target, "backup", request, { onStep, signal }),
    );
  } catch (error) {
    signal.throwIfAborted();
    throw new UserError(
      `nothing was stopped, the backup failed: ${errorLine(error)} (--no-backup stops without one)`,
      {
        cause: error,
      },
    );
  }
}

async function start({ target, logsDirectory }: Stack): Promise<void> {
  const { audited } = await import("../operations/audit.ts");
  const { startAgent, startServer } = await import("../operations/restore/server.ts");
  const { readStackWithCredentials } = await import("./stack.ts");
  const { checkHealth } = await import("../operations/health.ts");
  await audited({ logsDirectory, stack: target.stack }, "server.start", {}, async () => {
    note("starting the server");
    await startServer(target, 600, interruptionSignal());
    await startAgent(target);
    const { credentials, trust, thresholds } = await readStackWithCredentials(target.stack);
    const report = await checkHealth(target, {
      ...{ credentials, full: false },
      ...(trust === undefined ? {} : { trust }),
      ...(thresholds === undefined ? {} : { thresholds }),
    });
    const failed = report.checks.filter(({ status }) => status === "failed");
    if (failed.length > 0) {
      throw new UserError(
        `the server runs, but is not healthy: ${failed.map(({ name, message }) => `${name}: ${message}`).join("; ")}`,
      );
    }
  });
}
