import { cronLine } from "../cron-line.ts";
import { setting } from "../documentation.ts";
import { directory } from "../paths.ts";
import { wholeNumber } from "../values.ts";

/** Where backups go, when they are taken and how long they are kept. */
export const backupKeys = {
  backupDirectory: setting(
    directory().default("backups"),
    "Folder for backups on the machine that runs the stack, relative to the project or absolute.",
    { group: "Backup", fallback: "backups", example: "/srv/backups/shop", common: true },
  ),
  backupSchedule: setting(
    cronLine().default("0 2 * * *"),
    "When backups are taken: a cron line of five fields, in UTC.",
    {
      group: "Backup",
      fallback: "0 2 * * *",
      example: '"30 1,13 * * *"',
      variable: "BACKUP_SCHEDULE",
      common: true,
    },
  ),
  backupKeepDays: setting(
    wholeNumber(1, 3650).default(7),
    "Days whose newest backup is kept. The last good backup is never removed.",
    {
      group: "Backup",
      fallback: "7",
      example: "14",
      caution: "Fewer: the next run removes backups.",
      variable: "BACKUP_KEEP_DAYS",
    },
  ),
  backupKeepWeeks: setting(wholeNumber(0, 520).default(4), "Weeks whose newest backup is kept.", {
    group: "Backup",
    fallback: "4",
    example: "8",
    caution: "Fewer: the next run removes backups.",
    variable: "BACKUP_KEEP_WEEKS",
  }),
  backupKeepMonths: setting(wholeNumber(0, 120).default(6), "Months whose newest backup is kept.", {
    group: "Backup",
    fallback: "6",
    example: "12",
    caution: "Fewer: the next run removes backups.",
    variable: "BACKUP_KEEP_MONTHS",
  }),
};
