import { Command } from "commander";
import type { StackStatus } from "../operations/status.ts";
import { backupLines, readBackupStatus } from "./backup-status.ts";
import { EXIT } from "./exit-codes.ts";
import { jsonOption, stackName, taught } from "./options.ts";
import {
  formatBytes,
  formatDuration,
  harmless,
  print,
  printJson,
  printLine,
  statusText,
  styled,
  table,
} from "./print.ts";
import type { Stack } from "./stack.ts";

const LAST_WEEKS_OF_CERTIFICATE_DAYS = 30;

/** `pgstack status`. */
export function statusCommand(): Command {
  const command = new Command("status")
    .description("Show one stack on one screen: image, uptime, roles, certificate, disk, connections.")
    .addOption(jsonOption())
    .action(async ({ json }: { json: boolean }) => {
      const { openStack } = await import("./stack.ts");
      const { gatherStatus } = await import("../operations/status.ts");
      const stack = await openStack(stackName(command));
      const { roles, logsDirectory, environment, image } = stack;
      const { unfinishedPromotion } = await import("./promotion/interrupted.ts");
      const [status, backups, promotion] = await Promise.all([
        gatherStatus(stack.target, { roles: Object.values(roles), logsDirectory }),
        readBackupStatus(stack),
        unfinishedPromotion(stack.target.stack),
      ]);
      if (json)
        printJson({
          environment,
          declaredImage: image ?? null,
          published: stack.published ?? null,
          ...status,
          backups: backups ?? null,
          unfinishedPromotion: promotion?.journal.from ?? null,
        });
      else
        printStatus(stack, status, [
          ...backupLines(backups, new Date()),
          ...(promotion === undefined
            ? []
            : [["promotion", styled("yellow", harmless(promotion.line))] as const]),
        ]);
      if (status.problems.length > 0) process.exitCode = EXIT.failed;
    });
  return taught(command, [
    ["pgstack status", "of the stack dev"],
    ["pgstack --stack prod status --json", "of the stack prod, for machines"],
  ]);
}

function printStatus(
  stack: Stack,
  status: StackStatus,
  backups: readonly (readonly [string, string])[],
): void {
  const lines = [
    ["stack", `${styled("bold", status.stack)} (${stack.environment})`],
    ["container", containerLine(status)],
    ...(status.image === undefined ? [] : [["image", imageLine(stack, status.image)]]),
    ["server", serverLine(status)],
    ...(status.roles ?? []).map((role, index) => [
      index === 0 ? "roles" : "",
      `${role.name}${role.exists ? "" : ` ${statusText("missing")}`}, ${count(role.connections, "connection")}`,
    ]),
    ...(status.connections === undefined
      ? []
      : [["connections", `${status.connections.used} of ${status.connections.maximum}`]]),
    ["TLS", tlsLine(status, stack.trust !== undefined)],
    ...(status.disk === undefined ? [] : [["disk", diskLine(status.disk)]]),
    ...status.networks.map(({ name, address }, index) => [
      index === 0 ? "networks" : "",
      `${name} ${address ?? ""}`,
    ]),
    ...(stack.published === undefined
      ? []
      : [["published", `${stack.published.address} port ${stack.published.port}`]]),
    ...status.volumes.map(({ name, path, writable }, index) => [
      index === 0 ? "volumes" : "",
      `${name} at ${path}${writable ? "" : ", read-only"}`,
    ]),
    ...backups,
    ["last health", healthLine(status)],
    ...status.problems.map((problem, index) => [
      index === 0 ? styled("red", "problems") : "",
      harmless(problem),
    ]),
  ];
  print(table(lines));
  if (status.problems.length > 0)
    printLine(`\n${styled("dim", "pgstack health --full and pgstack logs tell more")}`);
}

function containerLine({ container }: StackStatus): string {
  const { name, state, health, uptimeSeconds, restarts } = container;
  return [
    `${name} ${statusText(state)}`,
    ...(health === undefined ? [] : [statusText(health)]),
    ...(uptimeSeconds === undefined ? [] : [`up ${formatDuration(uptimeSeconds)}`]),
    ...(restarts === 0 ? [] : [count(restarts, "restart")]),
  ].join(", ");
}

function serverLine({ serverVersion, held }: StackStatus): string {
  if (serverVersion !== undefined) return `PostgreSQL ${serverVersion}`;
  return held === undefined ? "does not answer" : statusText("held");
}

/** The name that the stack asks for says more than the digest that its container was made from. */
function imageLine(
  { image: declared }: Stack,
  { name, id, digest }: NonNullable<StackStatus["image"]>,
): string {
  const declaredHere = declared !== undefined && [id, name].some((one) => declared.pinned.includes(one));
  return `${declaredHere ? declared.reference : short(name)} ${short(digest ?? id)}`;
}

function tlsLine({ tlsDaysLeft }: StackStatus, enabled: boolean): string {
  if (!enabled) return "off";
  if (tlsDaysLeft === undefined) return "on";
  const text = `on, certificate good for ${count(tlsDaysLeft, "day")}`;
  return tlsDaysLeft < LAST_WEEKS_OF_CERTIFICATE_DAYS ? styled("yellow", text) : text;
}

function diskLine({ totalBytes, freeBytes }: NonNullable<StackStatus["disk"]>): string {
  return `${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}`;
}

function healthLine({ lastHealth }: StackStatus): string {
  if (lastHealth === undefined) return "never checked";
  const seconds = Math.max(0, (Date.now() - Date.parse(lastHealth.at)) / 1_000);
  return `${statusText(lastHealth.status)}, ${formatDuration(seconds)} ago`;
}

function short(digest: string): string {
  return digest.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1");
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}
