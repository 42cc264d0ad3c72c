import { type HealthThresholds, NEVER } from "../operations/health/thresholds.ts";
import { defaultNames } from "./default-names.ts";
import { deriveMemory } from "./derive.ts";
import { bytesOf, type MemorySize, memorySize } from "./memory-size.ts";
import { processesNeeded, sharedMemoryNeeded } from "./needs.ts";
import type { Given } from "./schema.ts";
import type { Settings, SettingsContext, TlsSettings } from "./settings.ts";

/** Extensions that every stack has. */
export const STANDARD_EXTENSIONS: readonly string[] = ["uuid-ossp", "pgcrypto", "pg_stat_statements"];

const MEGA = 1024 ** 2;

/** Fills in what was not given, from the other settings and the stack. */
export function applyDefaults(given: Given, context: Pick<SettingsContext, "stack">): Settings {
  const production = given.environment === "production";
  const memoryLimit = given.memoryLimit ?? (production ? "4GB" : "1GB");
  const derived = given.deriveMemory ? deriveMemory(memoryLimit, given.maxConnections) : undefined;
  const workMem = given.workMem ?? derived?.workMem ?? "4MB";
  const names = defaultNames(context.stack, given.dataInMemory !== undefined);
  return {
    ...given,
    stack: context.stack,
    extensions: [...new Set([...STANDARD_EXTENSIONS, ...given.extensions])],
    allowDestroy: given.allowDestroy ?? !production,
    protectVolumes: given.protectVolumes ?? production,
    containerName: given.containerName ?? names.containerName,
    networkName: given.networkName ?? names.networkName,
    dataVolumeName: given.dataVolumeName ?? names.dataVolumeName,
    configurationVolumeName: given.configurationVolumeName ?? names.configurationVolumeName,
    publishPort: given.publishPort ?? given.port,
    memoryLimit,
    sharedBuffers: given.sharedBuffers ?? derived?.sharedBuffers ?? "256MB",
    effectiveCacheSize: given.effectiveCacheSize ?? derived?.effectiveCacheSize ?? "1GB",
    workMem,
    maintenanceWorkMem: given.maintenanceWorkMem ?? derived?.maintenanceWorkMem ?? "64MB",
    ballastMegabytes: given.ballastMegabytes ?? (given.environment === "test" ? 0 : 64),
    backup: given.backup ?? given.environment !== "test",
    backupVolumeName: given.backupVolumeName ?? names.backupVolumeName,
    archiveTimeoutSeconds: given.archiveTimeoutSeconds ?? (given.backupS3 === undefined ? 3600 : 60),
    drillSchedule: given.drillSchedule ?? (production ? "30 4 * * *" : "30 4 * * 0"),
    pidsLimit: given.pidsLimit ?? Math.max(256, processesNeeded(given) + 100),
    shmSize: given.shmSize ?? defaultSharedMemory(memoryLimit, sharedMemoryNeeded({ ...given, workMem })),
    tls: tlsSettings(given.tls),
    healthThresholds: thresholds(given.healthThresholds),
  };
}

function defaultSharedMemory(memoryLimit: MemorySize, needed: number): MemorySize {
  const usual = Math.min(256 * MEGA, Math.max(64 * MEGA, bytesOf(memoryLimit) / 4));
  return memorySize(Math.ceil(Math.max(usual, needed) / MEGA) * MEGA);
}

/** Keys of another mode have been refused before; the empty texts below stand only until the refusal is shown. */
function tlsSettings(given: Given["tls"]): TlsSettings {
  const renewBeforeDays = given.renewBeforeDays ?? Math.min(30, Math.floor((given.validityDays ?? 365) / 3));
  switch (given.mode) {
    case "off":
      return { mode: "off" };
    case "files":
      return {
        mode: "files",
        certificatesDirectory: given.certificatesDirectory ?? "",
        domain: given.domain ?? "",
        renewBeforeDays,
      };
    case "generated":
      return {
        mode: "generated",
        ...(given.domain === undefined ? {} : { domain: given.domain }),
        validityDays: given.validityDays ?? 365,
        renewBeforeDays,
        names: given.names ?? [],
      };
  }
}

function thresholds(given: Given["healthThresholds"]): HealthThresholds {
  const room = (percent: number, size: MemorySize) => ({
    freeFraction: percent / 100,
    freeBytes: bytesOf(size),
  });
  return {
    // A slow answer alone never fails a stack.
    queryMilliseconds: { warn: given.queryWarnMilliseconds, fail: NEVER },
    disk: {
      warn: room(given.diskFreeWarnPercent, given.diskFreeWarnSize),
      fail: room(given.diskFreeFailPercent, given.diskFreeFailSize),
    },
    connections: { warn: given.connectionsWarnPercent / 100, fail: given.connectionsFailPercent / 100 },
    replicationLagSeconds: { warn: given.replicationLagWarnSeconds, fail: given.replicationLagFailSeconds },
    retainedWalBytes: { warn: bytesOf(given.retainedWalWarnSize), fail: bytesOf(given.retainedWalFailSize) },
    archiveLagSeconds: { warn: given.archiveLagWarnSeconds, fail: given.archiveLagFailSeconds },
    transactionIdAge: { warn: given.transactionIdAgeWarn, fail: given.transactionIdAgeFail },
    missedBackups: { warn: given.missedBackupsWarn, fail: given.missedBackupsFail },
    backupGraceSeconds: given.backupGraceSeconds,
    certificateDays: given.certificateDays.toSorted((one, other) => other - one),
  };
}
