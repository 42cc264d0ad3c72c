import { Command } from "commander";
import type { HealthReport } from "../operations/health.ts";
import { examine } from "./examine.ts";
import { EXIT } from "./exit-codes.ts";
import { departureSignal, interruptionSignal } from "./interruption.ts";
import { jsonOption, stackName, taught, wholeNumber } from "./options.ts";
import { formatBytes, harmless, note, printJson, printLine, statusText, table } from "./print.ts";
import type { StackWithCredentials } from "./stack.ts";

interface HealthOptions {
  readonly full: boolean;
  readonly json: boolean;
  readonly serve?: number;
  readonly address: string;
}

/** `pgstack health`. */
export function healthCommand(): Command {
  const command = new Command("health")
    .description("Check that the server answers, that its roles can work, and that it has room to go on.")
    .option("--full", "every check, also writes, replication, archive, certificate, configuration", false)
    .addOption(jsonOption())
    .option(
      "--serve <port>",
      "answer over HTTP instead, at /health, /health/ready and /health/live",
      wholeNumber(0, 65_535),
    )
    .option("--address <address>", "address that --serve listens on", "127.0.0.1")
    .action(async (options: HealthOptions) => {
      await (options.serve === undefined
        ? checkOnce(command, options)
        : serve(command, options, options.serve));
    });
  return taught(command, [
    ["pgstack health --full", "every check at once"],
    ["pgstack health --serve 8080", "for a load balancer: 200 while healthy, 503 when not"],
  ]);
}

async function checkOnce(command: Command, { full, json }: HealthOptions): Promise<void> {
  const { readStackWithCredentials } = await import("./stack.ts");
  const report = await checkAndLog(await readStackWithCredentials(stackName(command)), full);
  if (json) printJson(report);
  else printReport(report);
  if (report.status === "failed") process.exitCode = EXIT.failed;
}

async function serve(command: Command, { full, address }: HealthOptions, port: number): Promise<void> {
  const { readStackWithCredentials } = await import("./stack.ts");
  const { serveHealth } = await import("../operations/health-server.ts");
  const name = stackName(command);
  const interrupted = interruptionSignal();
  let stack = await readStackWithCredentials(name);
  let before: HealthReport["status"] = "ok";
  const check = async () => {
    // A rotated password fails the check: the next one takes what the stack says by then.
    if (before === "failed") stack = await readStackWithCredentials(name).catch(() => stack);
    const report = await examine(stack, full);
    if (report.status !== before) {
      note(`${report.at} ${report.status}`);
      await log(stack, report);
    }
    before = report.status;
    return report;
  };
  const server = await serveHealth({
    port,
    address,
    check,
    signal: AbortSignal.any([interrupted, departureSignal()]),
  });
  const host = server.address.includes(":") ? `[${server.address}]` : server.address;
  note(`serving health of stack ${name} at http://${host}:${server.port}/health (Ctrl-C ends it)`);
  await server.closed;
  interrupted.throwIfAborted();
}

async function checkAndLog(stack: StackWithCredentials, full: boolean): Promise<HealthReport> {
  const report = await examine(stack, full);
  await log(stack, report);
  return report;
}

/** A log that can't be written does not hide the answer. */
async function log({ logsDirectory, target }: StackWithCredentials, report: HealthReport): Promise<void> {
  const { appendHealthLog } = await import("../operations/health-log.ts");
  await appendHealthLog({ logsDirectory, stack: target.stack }, report).catch((error: unknown) => {
    note(`pgstack: the health log can't be written: ${error instanceof Error ? error.message : error}`);
  });
}

function printReport(report: HealthReport): void {
  const rows = report.checks.map(({ name, status, message }) => [
    statusText(status),
    name,
    harmless(message),
  ]);
  printLine(table(rows).trimEnd());
  const version = report.serverVersion === undefined ? "" : `, PostgreSQL ${report.serverVersion}`;
  const disk = report.disk === undefined ? "" : `, ${formatBytes(report.disk.freeBytes)} free`;
  printLine(
    `\n${report.stack}: ${statusText(report.status)}${version}${disk}, ${report.durationMilliseconds} ms`,
  );
}
