import { z } from "zod";
import { setting } from "../documentation.ts";
import { memory } from "../memory-size.ts";
import { directory } from "../paths.ts";
import { listOf, wholeNumber } from "../values.ts";

const percent = () => wholeNumber(0, 100, "percent");
const seconds = () => wholeNumber(1, 31536000, "seconds");
const room = () => memory("1MB", "16TB");
const age = () => wholeNumber(1000000, 2000000000, "transactions");

/** When health warns and fails, and where logs go. */
export const healthKeys = {
  logsDirectory: setting(
    directory().default("logs"),
    "Folder for audit records, health results and start-up logs, relative to the project or absolute.",
    { group: "Health and logs", fallback: "logs", example: "/var/log/pgstack" },
  ),
  healthTimeoutSeconds: setting(
    wholeNumber(5, 3600, "seconds").default(60),
    "Seconds that the server gets to become healthy before `up` fails.",
    { group: "Health and logs", fallback: "60", example: "300" },
  ),
  healthThresholds: setting(
    z
      .strictObject(
        {
          queryWarnMilliseconds: wholeNumber(1, 60000, "milliseconds").default(500),
          diskFreeWarnPercent: percent().default(20),
          diskFreeFailPercent: percent().default(5),
          diskFreeWarnSize: room().default("20GB"),
          diskFreeFailSize: room().default("2GB"),
          connectionsWarnPercent: percent().default(80),
          connectionsFailPercent: percent().default(95),
          replicationLagWarnSeconds: seconds().default(30),
          replicationLagFailSeconds: seconds().default(300),
          retainedWalWarnSize: room().default("1GB"),
          retainedWalFailSize: room().default("10GB"),
          archiveLagWarnSeconds: seconds().default(300),
          archiveLagFailSeconds: seconds().default(3600),
          transactionIdAgeWarn: age().default(500000000),
          transactionIdAgeFail: age().default(1500000000),
          missedBackupsWarn: wholeNumber(1, 100).default(1),
          missedBackupsFail: wholeNumber(1, 100).default(2),
          backupGraceSeconds: seconds().default(7200),
          certificateDays: listOf(wholeNumber(1, 824, "days"), "[30, 14, 7]").default([30, 14, 7]),
        },
        { error: 'a map such as {"diskFreeWarnPercent": 25}' },
      )
      .prefault({}),
    "When the health check warns and when it fails. Free disk alarms only where both the percentage and the size are undershot.",
    {
      group: "Health and logs",
      fallback: "see below",
      example: "{diskFreeWarnPercent: 25, diskFreeWarnSize: 50GB}",
      structured: true,
    },
  ),
};
