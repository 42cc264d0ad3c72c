import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { AgentConfiguration } from "../agent/configuration.ts";
import { BACKUP_FILES } from "../operations/backup-files.ts";
import {
  type ObjectStorage,
  type PgbackrestOptions,
  renderPgbackrestConf,
  repositoryNames,
} from "../operations/pgbackrest-conf.ts";
import { CONFIGURATION_DIRECTORY, STANZA } from "../operations/postgresql-conf.ts";
import type { Target } from "../operations/target.ts";
import { BackupConfiguration } from "../providers/backup-configuration.ts";
import { BACKUP_DIRECTORY, SCRATCH_DIRECTORY, SOCKET_DIRECTORY } from "./backup-storage.ts";
import { labelRecord } from "./labels.ts";

/** What {@link BackupFiles} are made from. */
export interface BackupFilesArgs {
  readonly target: Target;
  readonly configurationVolume: pulumi.Input<string>;
  readonly imageId: string;
  readonly dataDirectory: string;
  /** Fingerprint of the agent's code. */
  readonly code: string;
  /** Processes that a dump, a restore or a physical backup uses at once. */
  readonly jobs: number;
  readonly encrypted: boolean;
  /** Keep a repository in the backup folder. */
  readonly local: boolean;
  /** Keep a repository in an object storage; `authority` is PEM text, empty for public authorities. */
  readonly storage?: Omit<ObjectStorage, "ownAuthority"> & { readonly authority: string };
  /** Days after which a scheduled physical backup is a full one. */
  readonly fullDays: number;
  readonly schedule: AgentConfiguration["schedule"];
  readonly retention: AgentConfiguration["retention"];
  readonly verification: AgentConfiguration["verification"];
  readonly labels?: Readonly<Record<string, string>>;
  readonly logsDirectory: string;
}

/** The files by which server and agent know where backups go and when; and the key that they are encrypted with. */
export class BackupFiles extends pulumi.ComponentResource {
  /** Changes whenever the agent has to start anew. */
  readonly fingerprint: string;
  /** What backups are encrypted with; undefined when they are not. A secret. */
  readonly key: pulumi.Output<string> | undefined;

  constructor(name: string, args: BackupFilesArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:BackupFiles", name, {}, options);
    this.key = args.encrypted
      ? new random.RandomPassword(
          `${name}-key`,
          { length: 48, special: false },
          { parent: this, protect: true },
        ).result
      : undefined;
    const agent = JSON.stringify(agentConfiguration(args), undefined, 2);
    this.fingerprint = `${args.code}-${hashOf(agent)}`;
    new BackupConfiguration(
      name,
      {
        target: args.target,
        configurationVolume: args.configurationVolume,
        imageId: args.imageId,
        agent,
        pgbackrest: pulumi.secret(
          pulumi.output(this.key).apply((key) => renderPgbackrestConf(pgbackrestOptions(args, key))),
        ),
        key: this.key ?? "",
        storageAuthority: args.storage?.authority ?? "",
        code: args.code,
        labels: labelRecord(args.target.stack, pulumi.getProject(), args.labels),
        logsDirectory: args.logsDirectory,
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}

function pgbackrestOptions(args: BackupFilesArgs, cipherPass: string | undefined): PgbackrestOptions {
  const { storage } = args;
  return {
    // An encrypted repository is another one: pgBackRest does not turn one into the other.
    ...(args.local ? { local: `${BACKUP_DIRECTORY}/pgbackrest${args.encrypted ? "-encrypted" : ""}` } : {}),
    ...(storage === undefined
      ? {}
      : {
          storage: {
            ...storage,
            path: args.encrypted ? `${storage.path}-encrypted` : storage.path,
            ownAuthority: storage.authority !== "",
          },
        }),
    ...(cipherPass === undefined ? {} : { cipherPass }),
    dataDirectory: args.dataDirectory,
    port: args.target.port,
    socketDirectory: SOCKET_DIRECTORY,
    jobs: args.jobs,
  };
}

function agentConfiguration(args: BackupFilesArgs): AgentConfiguration {
  const { target } = args;
  return {
    format: 1,
    ...{ stack: target.stack, database: target.database, port: target.port },
    socketDirectory: SOCKET_DIRECTORY,
    dataDirectory: args.dataDirectory,
    backupDirectory: BACKUP_DIRECTORY,
    scratchDirectory: SCRATCH_DIRECTORY,
    jobs: args.jobs,
    logical: { encrypted: args.encrypted, keyFile: `${CONFIGURATION_DIRECTORY}/${BACKUP_FILES.key}` },
    physical: {
      stanza: STANZA,
      configurationFile: `${CONFIGURATION_DIRECTORY}/${BACKUP_FILES.pgbackrest}`,
      repositories: repositoryNames(pgbackrestOptions(args, undefined)),
      fullDays: args.fullDays,
    },
    schedule: args.schedule,
    retention: args.retention,
    verification: args.verification,
  };
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
