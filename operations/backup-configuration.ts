import type { AgentConfiguration } from "../agent/configuration.ts";
import type { Protection } from "../agent/storage/protection.ts";
import { ARCHIVE_QUEUE, BACKUP_FILES } from "./backup-files.ts";
import { BACKUP_DIRECTORY, SCRATCH_DIRECTORY, SOCKET_DIRECTORY } from "./container-directories.ts";
import { type ObjectStorage, type PgbackrestOptions, repositoryNames } from "./pgbackrest-conf.ts";
import { CONFIGURATION_DIRECTORY, STANZA } from "./postgresql-conf.ts";
import type { Target } from "./target.ts";

/** Where backups are, and how they are worked with. */
export interface BackupPlaces {
  readonly target: Target;
  readonly dataDirectory: string;
  /** Processes that a dump, a restore or a physical backup uses at once. */
  readonly jobs: number;
  readonly encrypted: boolean;
  /** A repository in the backup folder. */
  readonly local: boolean;
  /** A repository in an object storage; `authority` is PEM text, empty for public authorities. */
  readonly storage?: Omit<ObjectStorage, "ownAuthority"> & {
    readonly authority: string;
    /** What the bucket is to see to. Absent: nothing. */
    readonly protection?: "none" | Protection["mode"];
  };
}

/** When backups are taken, how they are proven and how long they are kept. */
export type BackupPlan = Pick<AgentConfiguration, "schedule" | "retention" | "verification"> & {
  /** Days after which a scheduled physical backup is a full one. */
  readonly fullDays: number;
};

/** What pgBackRest is told of these places. */
export function pgbackrestOptions(places: BackupPlaces, cipherPass: string | undefined): PgbackrestOptions {
  const { storage, encrypted } = places;
  // An encrypted repository is another one: pgBackRest does not turn one into the other.
  const suffix = encrypted ? "-encrypted" : "";
  return {
    ...(places.local ? { local: `${BACKUP_DIRECTORY}/pgbackrest${suffix}` } : {}),
    ...(storage === undefined
      ? {}
      : {
          storage: {
            ...storage,
            path: `${storage.path}${suffix}`,
            ownAuthority: storage.authority !== "",
          },
        }),
    ...(cipherPass === undefined ? {} : { cipherPass }),
    dataDirectory: places.dataDirectory,
    port: places.target.port,
    socketDirectory: SOCKET_DIRECTORY,
    jobs: places.jobs,
  };
}

/** What the agent is told; `sandbox`: there is one beside it, for the servers of throw-away clusters. */
export function agentConfiguration(
  places: BackupPlaces,
  plan: BackupPlan & { readonly sandbox?: boolean },
): AgentConfiguration {
  const { target } = places;
  const options = pgbackrestOptions(places, undefined);
  return {
    format: 1,
    ...{ stack: target.stack, database: target.database, port: target.port },
    socketDirectory: SOCKET_DIRECTORY,
    dataDirectory: places.dataDirectory,
    backupDirectory: BACKUP_DIRECTORY,
    ...(plan.sandbox === true
      ? { scratchDirectory: `${SCRATCH_DIRECTORY}/private`, sandboxDirectory: SCRATCH_DIRECTORY }
      : { scratchDirectory: SCRATCH_DIRECTORY }),
    jobs: places.jobs,
    logical: { encrypted: places.encrypted, keyFile: `${CONFIGURATION_DIRECTORY}/${BACKUP_FILES.key}` },
    physical: {
      stanza: STANZA,
      configurationFile: `${CONFIGURATION_DIRECTORY}/${BACKUP_FILES.pgbackrest}`,
      repositories: repositoryNames(options),
      queueDirectory: `${BACKUP_DIRECTORY}/${ARCHIVE_QUEUE}`,
      fullDays: plan.fullDays,
      ...(options.local === undefined ? {} : { localDirectory: options.local }),
      ...protectionOf(places, plan),
    },
    schedule: plan.schedule,
    retention: plan.retention,
    verification: plan.verification,
  };
}

/**
 * What is in use at the beginning of the window of points in time rests on a full backup before it: so long a version is
 * kept, and a lock holds.
 */
function protectionOf(
  { storage }: BackupPlaces,
  { fullDays, retention }: BackupPlan,
): { readonly protection?: Protection } {
  const mode = storage?.protection ?? "none";
  return mode === "none" ? {} : { protection: { mode, days: fullDays + (retention.pitrDays ?? 0) } };
}
