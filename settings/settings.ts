import type { RecoveryTarget } from "../agent/restore/target.ts";
import type { HealthThresholds } from "../operations/health/thresholds.ts";
import type { MemorySize } from "./memory-size.ts";
import type { MajorVersion } from "./parameter-catalogue.ts";

/** What a stack is for. Defaults and refusals grow stricter from left to right. */
export type Environment = "development" | "test" | "staging" | "production";

/** The kinds of login role that every stack has: one of each. */
export type RoleKind = "administrator" | "application" | "readonly";

/** How the server's certificate comes about. `off` exists for development and test only. */
export type TlsSettings =
  | { readonly mode: "off" }
  | {
      readonly mode: "generated";
      /** Domain that the certificate is for, beside the container's name; absent: the container's name alone. */
      readonly domain?: string;
      /** Days that a new server certificate is valid. */
      readonly validityDays: number;
      /** Days before its end at which `up` makes a new one. Always less than `validityDays`. */
      readonly renewBeforeDays: number;
      /** More DNS names and IP addresses that clients connect by. */
      readonly names: readonly string[];
    }
  | {
      readonly mode: "files";
      /** Folder that holds `{domain}/fullchain.pem` and `{domain}/privkey.pem`; as written, so relative to the project unless absolute. */
      readonly certificatesDirectory: string;
      /** Name of the sub-folder, and the name that clients verify. */
      readonly domain: string;
      /** Days before the certificate's end from which health warns. */
      readonly renewBeforeDays: number;
    };

/** How an S3-compatible storage is reached. */
export interface ObjectStorageSettings {
  /** Host, with a port where it is not 443. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  /** Folder in the bucket. */
  readonly path: string;
  readonly key: string;
  readonly secret: string;
  /** True: the bucket's name in the path; false: in the host's name. */
  readonly pathStyle: boolean;
  /** PEM file in the project, for storage whose certificate no public authority signed. */
  readonly authorityFile?: string | undefined;
}

/** S3-compatible storage for physical backups. */
export interface BackupS3Settings extends ObjectStorageSettings {
  /** Keep a local repository too. */
  readonly keepLocal: boolean;
  /** What keeps the stack's key from deleting backups for good. */
  readonly protection: "none" | "versioned" | "locked";
}

/** What the database is brought back to. */
export interface RestoreSettings {
  readonly target: RecoveryTarget;
  /** Why a restored cluster is taken that fails verification; absent: it is not. */
  readonly accept?: string | undefined;
  /** Another stack's backups, for a stack that has no database yet; absent: the stack's own. One place is named. */
  readonly from?: {
    readonly volume?: string | undefined;
    /** Absolute path on the Docker host. */
    readonly directory?: string | undefined;
    readonly s3?: ObjectStorageSettings | undefined;
    /** What the backups are encrypted with; absent: they are not. */
    readonly encryptionKey?: string | undefined;
  };
}

/** What was promoted to a stack. */
export interface PromotionSettings {
  readonly from: string;
  readonly commit: string;
  /** ISO 8601. */
  readonly at: string;
}

/** The server that a stack takes over from. */
export interface UpgradeFromSettings {
  readonly container: string;
  readonly port: number;
}

/**
 * Everything that a stack can be told, checked, with all defaults applied; made by `readSettings`.
 * Every key is explained, with its default and an example, in docs/settings.md, which is written from schema.ts.
 */
export interface Settings {
  /** Name of the Pulumi stack that these settings are of. */
  readonly stack: string;
  readonly environment: Environment;
  /** Image reference with a tag or a digest. */
  readonly image: string;
  /** Major version of PostgreSQL that the data is of; the image must be of the same. */
  readonly majorVersion: MajorVersion;

  readonly databaseName: string;
  readonly administratorRole: string;
  readonly applicationRole: string;
  readonly readonlyRole: string;
  /** Schemas beside `public`. */
  readonly schemas: readonly string[];
  /** All extensions, the three that every stack has included. */
  readonly extensions: readonly string[];
  /** SQL files, relative to the project, in the order in which they run. */
  readonly initSql: readonly string[];

  readonly containerName: string;
  readonly networkName: string;
  readonly dataVolumeName: string;
  readonly configurationVolumeName: string;
  /** True: a data volume that some other stack or tool made may be taken over. */
  readonly adoptDataVolume: boolean;
  /** True: Pulumi refuses to delete the volumes and keeps them on destroy. */
  readonly protectVolumes: boolean;
  readonly allowDestroy: boolean;
  /** ISO 8601; absent: production is not destroyed. */
  readonly allowDestroyUntil?: string | undefined;
  /** More Docker labels for everything that the stack makes. */
  readonly labels: Readonly<Record<string, string>>;

  /** Port that the server listens on inside the container. */
  readonly port: number;
  readonly publish: boolean;
  readonly publishAddress: string;
  readonly publishPort: number;
  /** Networks that clients may come from, as CIDR; the container itself may always connect. */
  readonly clientAddresses: readonly string[];

  readonly maxConnections: number;
  readonly sharedBuffers: MemorySize;
  readonly effectiveCacheSize: MemorySize;
  readonly workMem: MemorySize;
  readonly maintenanceWorkMem: MemorySize;
  readonly deriveMemory: boolean;
  /** Every other PostgreSQL setting that the user gave, by its PostgreSQL name in lower case; `serverParameters` adds the keys above. */
  readonly serverSettings: Readonly<Record<string, string | number | boolean>>;

  readonly memoryLimit: MemorySize;
  /** Processor cores, fractions allowed. */
  readonly cpuLimit: number;
  readonly pidsLimit: number;
  /** Megabytes held back on the data volume; 0: none. */
  readonly ballastMegabytes: number;
  readonly shmSize: MemorySize;
  readonly stopGraceSeconds: number;

  readonly tls: TlsSettings;
  /** Characters. */
  readonly passwordLength: number;
  /** A role's password is made anew when its number changes. */
  readonly rotations: Readonly<Record<RoleKind, number>>;

  /** Whether there are an agent, an archive and a schedule. */
  readonly backup: boolean;
  /** Absolute path on the Docker host; absent: the volume. */
  readonly backupDirectory?: string | undefined;
  readonly backupVolumeName: string;
  /** Five fields, in UTC. */
  readonly backupSchedule: string;
  readonly backupFullDays: number;
  /** Five fields, in UTC. */
  readonly drillSchedule: string;
  readonly archiveTimeoutSeconds: number;
  readonly backupEncryption: boolean;
  /** A secret; absent: the stack makes one. */
  readonly backupKey?: string | undefined;
  readonly backupS3?: BackupS3Settings | undefined;
  /** `schema.table`; empty: every table. */
  readonly coreTables: readonly string[];
  /** SQL files, relative to the project. */
  readonly verificationSql: readonly string[];
  readonly backupKeepDays: number;
  readonly backupKeepWeeks: number;
  readonly backupKeepMonths: number;
  /** Days that any point in time can be restored for. */
  readonly pitrDays: number;

  readonly restore?: RestoreSettings | undefined;
  /** ISO 8601; absent: production is not restored in place. */
  readonly allowRestoreUntil?: string | undefined;

  /** An older server that this one takes over from, for the time of an upgrade. */
  readonly upgradeFrom?: UpgradeFromSettings | undefined;
  /** What was promoted to the stack last. */
  readonly promotion?: PromotionSettings | undefined;

  /** Version that the schema is to be at, or `latest`; absent: migrations run by command alone. */
  readonly schemaVersion?: string | undefined;
  /** Size of the file system in memory that holds a test stack's data; absent: the data is on disk. */
  readonly dataInMemory?: MemorySize | undefined;
  /** Whether the kernel may hold it in huge pages. */
  readonly dataInMemoryHugePages: boolean;
  /** Name of the snapshot that a test stack's database is brought to. */
  readonly testSnapshot?: string | undefined;

  /** As written: relative to the project unless absolute. */
  readonly logsDirectory: string;
  readonly healthTimeoutSeconds: number;
  readonly healthThresholds: HealthThresholds;
}

/** What the settings depend on beside the stack's config. */
export interface SettingsContext {
  /** Name of the Pulumi stack. */
  readonly stack: string;
  /** The process's environment variables, or a stand-in. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether this process may use ports below 1024. */
  readonly isRoot: boolean;
  /** Folder that relative paths in the settings start from. */
  readonly projectDirectory: string;
  /** Keys that Pulumi holds as secrets (`PULUMI_CONFIG_SECRET_KEYS`): their values are never shown in an error. */
  readonly secretKeys?: readonly string[];
  /** Rules of the policies that `policies/exceptions.json` accepts findings of for this stack. */
  readonly accepted?: ReadonlySet<string>;
}
