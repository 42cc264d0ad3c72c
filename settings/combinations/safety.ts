import { DURABILITY, isOff } from "../../operations/testing/fast-settings.ts";
import type { Combination } from "../combination.ts";
import { mismatch, type Problem } from "../problem.ts";
import { parameterNumber, parameterValue } from "../server-parameters.ts";
import { inServerSettings, isMinimal } from "./server.ts";

/** A server with a large cache writes for a while before it can stop. */
const LEAST_GRACE_SECONDS = 120;

/** What an environment forbids because data or its clients would be at risk. */
export function safetyProblems({ settings }: Combination): Problem[] {
  const problems: Problem[] = [];
  const { environment, serverSettings } = settings;
  const strict = environment === "staging" || environment === "production";
  for (const name of DURABILITY) {
    if (environment !== "test" && isOff(parameterValue(settings, name))) {
      problems.push(
        inServerSettings(
          serverSettings,
          name,
          'on: a crash would lose data; off is for pgstack:environment "test" only',
        ),
      );
    }
  }
  // With senders allowed, combinations/server.ts refuses it everywhere.
  const senders = parameterNumber(settings, "max_wal_senders") ?? 10;
  if (strict && senders === 0 && isMinimal(parameterValue(settings, "wal_level"))) {
    problems.push(
      inServerSettings(
        serverSettings,
        "wal_level",
        `replica or logical in ${environment}, for backups and standbys`,
      ),
    );
  }
  if (strict && settings.stopGraceSeconds < LEAST_GRACE_SECONDS) {
    problems.push(
      mismatch(
        ["stopGraceSeconds", "environment"],
        settings.stopGraceSeconds,
        `at least ${LEAST_GRACE_SECONDS} in ${environment}: a killed server has to recover`,
      ),
    );
  }
  if (strict && !settings.backup) {
    problems.push(
      mismatch(["backup", "environment"], settings.backup, `true in ${environment}: its data is backed up`),
    );
  }
  if (!strict && senders === 0 && settings.backup && isMinimal(parameterValue(settings, "wal_level"))) {
    problems.push(
      inServerSettings(
        serverSettings,
        "wal_level",
        "replica or logical with pgstack:backup true: it archives",
      ),
    );
  }
  if (settings.restore !== undefined && settings.restore.from === undefined && !settings.backup) {
    problems.push(
      mismatch(
        ["backup", "restore"],
        settings.backup,
        "true with pgstack:restore, or restore.from must name other backups",
      ),
    );
  }
  if (settings.backupKey !== undefined && !settings.backupEncryption) {
    problems.push(
      mismatch(
        ["backupEncryption", "backupKey"],
        settings.backupEncryption,
        "true with pgstack:backupKey, or there must be no key",
      ),
    );
  }
  if (settings.upgradeFrom !== undefined && !settings.backup) {
    problems.push(
      mismatch(
        ["backup", "upgradeFrom"],
        settings.backup,
        "true with pgstack:upgradeFrom: the agent upgrades",
      ),
    );
  }
  if (environment !== "test" && settings.testSnapshot !== undefined) {
    problems.push(
      mismatch(
        ["testSnapshot", "environment"],
        settings.testSnapshot,
        'absent: it replaces the database, which is for pgstack:environment "test" only',
      ),
    );
  }
  if (settings.dataInMemory !== undefined) problems.push(...inMemoryProblems(settings));
  if (environment === "production" && settings.allowDestroy) {
    problems.push(
      mismatch(
        ["allowDestroy", "environment"],
        settings.allowDestroy,
        "false in production: allowDestroyUntil permits it for one time",
      ),
    );
  }
  if (environment === "production" && !settings.protectVolumes) {
    problems.push(
      mismatch(
        ["protectVolumes", "environment"],
        settings.protectVolumes,
        "true in production: its volumes are kept",
      ),
    );
  }
  return problems;
}

/** What does not go together with data that is gone with its container. */
function inMemoryProblems(settings: Combination["settings"]): Problem[] {
  const { environment, dataInMemory } = settings;
  if (environment !== "test") {
    return [
      mismatch(
        ["dataInMemory", "environment"],
        dataInMemory,
        'absent: the data is gone with its container, which is for pgstack:environment "test" only',
      ),
    ];
  }
  return (["backup", "protectVolumes", "adoptDataVolume"] as const)
    .filter((key) => settings[key])
    .map((key) =>
      mismatch(
        [key, "dataInMemory"],
        settings[key],
        "false with pgstack:dataInMemory: nothing of it is kept",
      ),
    );
}
