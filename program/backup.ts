import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentArgs } from "../components/agent.ts";
import type { BackupFilesArgs } from "../components/backup-files.ts";
import { agentFiles, fingerprintOfFiles } from "../operations/agent-files.ts";
import { needsRestart } from "../operations/postgresql-conf/postmaster-parameters.ts";
import { serverParameters } from "../settings/server-parameters.ts";
import type { Settings } from "../settings/settings.ts";
import { containerLimits } from "./arguments.ts";

const LEAST_AGENT_MEGABYTES = 512;

/** What is read from files for backups, before anything is declared. */
export interface BackupSources {
  /** Fingerprint of the agent's code. */
  readonly code: string;
  /** The verification SQL with its content. */
  readonly verificationSql: readonly { readonly name: string; readonly text: string }[];
  /** PEM text of the object storage's authority; empty for public ones. */
  readonly storageAuthority: string;
}

export async function backupSources(settings: Settings): Promise<BackupSources> {
  const read = (name: string) => readFile(join(process.cwd(), name), "utf8");
  const authorityFile = settings.backupS3?.authorityFile;
  const [files, verificationSql, storageAuthority] = await Promise.all([
    agentFiles(),
    Promise.all(settings.verificationSql.map(async (name) => ({ name, text: await read(name) }))),
    authorityFile === undefined ? "" : read(authorityFile),
  ]);
  return { code: fingerprintOfFiles(files), verificationSql, storageAuthority };
}

/** Whether an object storage is to be reached: the agent archives into one, or the database comes from one. */
export function needsStorageNetwork({ backup, backupS3, restore }: Settings): boolean {
  return (backup && backupS3 !== undefined) || restore?.from?.s3 !== undefined;
}

/** Whether backups are still there when the stack is gone, so that a last one is worth its time. */
export function outlivesStack({ backup, protectVolumes, backupDirectory, backupS3 }: Settings): boolean {
  return backup && (protectVolumes || backupDirectory !== undefined || backupS3 !== undefined);
}

/** Changes with everything that makes the server's container anew, or its server start with other settings. */
export function replacementTrigger(settings: Settings, imageId: string, dataDirectory: string): string {
  const startOnly = Object.entries(serverParameters(settings)).filter(([name]) => needsRestart(name));
  const { containerName, networkName, dataVolumeName, configurationVolumeName, port, labels } = settings;
  const { publish, publishAddress, publishPort, stopGraceSeconds } = settings;
  return createHash("sha256")
    .update(
      JSON.stringify([
        ...[imageId, dataDirectory, containerName, networkName, dataVolumeName, configurationVolumeName],
        ...[port, publish && [publishAddress, publishPort], stopGraceSeconds, labels],
        ...[publish, containerLimits(settings)],
        ...[settings.ballastMegabytes, settings.environment],
        ...(publish ? ["resolves no names of the outside"] : []),
        ...(publish && needsStorageNetwork(settings) ? ["is not in the storage's network"] : []),
        ...(settings.backup ? ["has neither backups nor their keys"] : []),
        startOnly.sort(([one], [other]) => one.localeCompare(other)),
      ]),
    )
    .digest("hex")
    .slice(0, 16);
}

/** What the agent and the sandbox may use each: as much as the server, and enough for a throw-away server. */
export function agentLimits(settings: Settings): AgentArgs["limits"] {
  const { memoryMegabytes, cpus } = containerLimits(settings);
  return { memoryMegabytes: Math.max(LEAST_AGENT_MEGABYTES, memoryMegabytes), cpus };
}

/** What the settings say about backups. */
export function backupArgs(
  settings: Settings,
  sources: BackupSources,
): Pick<
  BackupFilesArgs,
  | "code"
  | "jobs"
  | "encrypted"
  | "key"
  | "local"
  | "storage"
  | "fullDays"
  | "schedule"
  | "retention"
  | "verification"
> {
  const { backupS3: storage } = settings;
  return {
    code: sources.code,
    jobs: Math.max(1, Math.min(8, Math.floor(settings.cpuLimit))),
    encrypted: settings.backupEncryption,
    ...(settings.backupKey === undefined ? {} : { key: settings.backupKey }),
    local: storage?.keepLocal ?? true,
    ...(storage === undefined ? {} : { storage: { ...storage, authority: sources.storageAuthority } }),
    fullDays: settings.backupFullDays,
    schedule: { backup: settings.backupSchedule, drill: settings.drillSchedule },
    retention: {
      days: settings.backupKeepDays,
      weeks: settings.backupKeepWeeks,
      months: settings.backupKeepMonths,
      pitrDays: settings.pitrDays,
    },
    verification: { coreTables: settings.coreTables, sql: sources.verificationSql },
  };
}
