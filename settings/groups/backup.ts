import { z } from "zod";
import { cronLine } from "../cron-line.ts";
import { setting } from "../documentation.ts";
import { dockerName } from "../names.ts";
import { OBJECT_STORAGE_EXAMPLE, objectStorageShape } from "../object-storage.ts";
import { hostDirectory, projectFile } from "../paths.ts";
import { secretText, tableName } from "../repository.ts";
import { flag, listOf, oneOf, wholeNumber } from "../values.ts";

const ANEW = "A change makes the container anew: connections end.";
const ANOTHER_PLACE = "What is in the place before stays there: move it along first.";

/** Where backups go, when they are taken, how they are proven and how long they are kept. */
export const backupKeys = {
  backup: setting(
    flag().optional(),
    "Whether the stack backs itself up: an agent beside the server, an archive of the write-ahead log, a schedule. Production cannot be without.",
    { group: "Backup", fallback: "true, false in test environments", example: "true", caution: ANEW },
  ),
  backupDirectory: setting(
    hostDirectory().optional(),
    "Folder on the Docker host that backups go to, best on another disk than the data's. It must be there, and writable for the image's user postgres.",
    {
      group: "Backup",
      fallback: "none: the volume backupVolumeName",
      example: "/srv/backups/shop",
      caution: ANOTHER_PLACE,
      common: true,
    },
  ),
  backupVolumeName: setting(
    dockerName().optional(),
    "Name of the volume that backups go to where backupDirectory names no folder.",
    { group: "Backup", fallback: "pgstack-<stack>-backups", example: "shop-backups", caution: ANOTHER_PLACE },
  ),
  backupSchedule: setting(
    cronLine().default("0 2 * * *"),
    "When backups are taken, a logical and a physical one each time: a cron line of five fields, in UTC.",
    {
      group: "Backup",
      fallback: "0 2 * * *",
      example: '"30 1,13 * * *"',
      variable: "BACKUP_SCHEDULE",
      common: true,
    },
  ),
  backupFullDays: setting(
    wholeNumber(1, 90, "days").default(7),
    "Days after which the scheduled physical backup is a full one; those between hold what changed since the one before.",
    { group: "Backup", fallback: "7", example: "14" },
  ),
  drillSchedule: setting(
    cronLine().optional(),
    "When the newest backup is restored into a throw-away cluster and checked: a cron line of five fields, in UTC.",
    { group: "Backup", fallback: "30 4 * * 0; in production 30 4 * * *", example: '"30 4 * * 1-5"' },
  ),
  archiveTimeoutSeconds: setting(
    wholeNumber(1, 3600, "seconds").optional(),
    "Seconds after which a segment of the write-ahead log that has something in it is archived though it is not full: what an object storage may lack. The backup folder has each commit within a second or two, as the log is streamed to it. Each costs the disk 32 MB, however little is in it.",
    { group: "Backup", fallback: "3600; 60 with backupS3", example: "300" },
  ),
  backupEncryption: setting(
    flag().default(false),
    "Whether backups are encrypted, with a key that the stack makes and keeps as a secret. Keep a copy of it elsewhere: `pgstack backups --show-key` prints it.",
    {
      group: "Backup",
      fallback: "false",
      example: "true",
      caution: "A change begins a new repository beside the old one.",
    },
  ),
  backupKey: setting(
    secretText().optional(),
    "Key that backups are encrypted with, instead of one that the stack makes: for a stack that goes on with backups that are there. Set it with `pulumi config set --secret`: staging and production take no other, and at least 24 characters.",
    {
      group: "Backup",
      fallback: "none: the stack makes one",
      example: "EXAMPLEKEYEXAMPLEKEYEXAMPLEKEY",
      caution: "Another key than that of the backups that are there cannot read them.",
    },
  ),
  backupS3: setting(
    z
      .strictObject(
        {
          ...objectStorageShape,
          keepLocal: flag().default(true),
          protection: oneOf("none", "versioned", "locked").default("none"),
        },
        { error: OBJECT_STORAGE_EXAMPLE },
      )
      .optional(),
    "S3-compatible storage for physical backups and the archive, beside the local ones or, with keepLocal false, instead of them. Set it with `pulumi config set --secret --path`, as it holds the access key; staging and production take no plain one. `protection` says what keeps that key from deleting backups for good: `versioned`, a bucket that keeps versions, in which the key cannot delete them; `locked`, object lock with a default retention of at least pitrDays and backupFullDays together, besides; `none`. The bucket is tried before anything is written to it, and by `health`.",
    {
      group: "Backup",
      fallback: "none",
      example:
        "{endpoint: s3.example.com, bucket: backups, key: AKIDEXAMPLE, secret: EXAMPLEKEY, protection: versioned}",
      structured: true,
      caution: ANOTHER_PLACE,
    },
  ),
  coreTables: setting(
    listOf(tableName(), '["public.orders"]').default([]),
    "Tables whose row counts and checksums are compared when a backup is proven or restored.",
    {
      group: "Backup",
      fallback: "every table",
      example: "[public.orders, sales.invoices]",
      structured: true,
    },
  ),
  verificationSql: setting(
    listOf(projectFile(), '["sql/verify.sql"]').default([]),
    "SQL files in the project whose every query must answer with true alone; a restore or drill fails where one does not.",
    { group: "Backup", fallback: "none", example: "[sql/verify.sql]", structured: true },
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
  pitrDays: setting(
    wholeNumber(1, 3650, "days").default(7),
    "Days that any point in time can be restored for, as far as backups are kept. Older ones are restored as of their own end: of the log before the window stays what they need for that.",
    {
      group: "Backup",
      fallback: "7",
      example: "14",
      caution: "Fewer: the next run removes log, and more bring none back.",
    },
  ),
};
