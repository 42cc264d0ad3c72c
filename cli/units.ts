import { Command } from "commander";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { UsageError } from "./exit-codes.ts";
import { stackName, taught } from "./options.ts";
import { print } from "./print.ts";

/** `pgstack units`. */
export function unitsCommand(): Command {
  const command = new Command("units")
    .description(
      "Print systemd units that take backups by a timer of the host, for those who prefer that to the agent's own schedule.",
    )
    .action(async () => {
      const { readStack } = await import("./stack.ts");
      const name = stackName(command);
      const { backupSchedule } = await readStack(name);
      if (backupSchedule === undefined)
        throw new UsageError(`stack ${name} has no backups: pgstack:backup is false`);
      print(units(name, backupSchedule, PROJECT_DIRECTORY));
    });
  return taught(command, [
    ["pgstack units", "two files, each below a line with its name, for /etc/systemd/system"],
  ]);
}

/** Service and timer for a schedule. */
export function units(stack: string, schedule: string, directory: string): string {
  return `# pgstack-backup-${stack}.service
[Unit]
Description=Backup of the PostgreSQL stack ${stack}
After=docker.service

[Service]
Type=oneshot
WorkingDirectory=${directory}
ExecStart=${directory}/pgstack --stack ${stack} backup --kind incr
ExecStart=${directory}/pgstack --stack ${stack} backup
ExecStart=${directory}/pgstack --stack ${stack} backups --prune

# pgstack-backup-${stack}.timer
[Unit]
Description=Backup of the PostgreSQL stack ${stack}

[Timer]
OnCalendar=${calendarOf(schedule)}
Persistent=true

[Install]
WantedBy=timers.target
`;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/**
 * A cron line of five fields as systemd writes it.
 *
 * Source: https://www.freedesktop.org/software/systemd/man/latest/systemd.time.html
 */
export function calendarOf(cronLine: string): string {
  const [minute = "*", hour = "*", day = "*", month = "*", weekday = "*"] = cronLine.trim().split(/\s+/);
  const field = (text: string, first: string) =>
    text
      .split(",")
      .map((part) => part.replace(/^\*\//, `${first}/`).replace("-", ".."))
      .join(",");
  const days =
    weekday === "*"
      ? ""
      : `${weekday
          .split(",")
          .map((part) => part.replaceAll(/\d/g, (digit) => DAYS[Number(digit)] ?? digit).replace("-", ".."))
          .join(",")} `;
  return `${days}*-${field(month, "1")}-${field(day, "1")} ${padded(field(hour, "0"))}:${padded(field(minute, "0"))}:00 UTC`;
}

function padded(text: string): string {
  return text.replaceAll(/(?<!\/|\d)\d(?!\d)/g, "0$&");
}
