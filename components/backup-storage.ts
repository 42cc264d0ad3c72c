import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import {
  BACKUP_DIRECTORY,
  SCRATCH_DIRECTORY,
  SOCKET_DIRECTORY,
} from "../operations/container-directories.ts";
import { agentVolume, scratchVolume, socketVolume } from "../operations/derived-volumes.ts";
import { CONFIGURATION_DIRECTORY } from "../operations/postgresql-conf.ts";
import { dockerLabels } from "./labels.ts";

/** What a {@link BackupStorage} is made from. */
export interface BackupStorageArgs {
  /** Stack that owns the volumes; written into their labels. */
  readonly stack: string;
  /** Name that those volumes begin with which have no name of their own: the server's container. */
  readonly prefix: string;
  /** Name of the volume for backups. Not used with `directory`. */
  readonly volumeName: string;
  /** Folder on the Docker host for backups, instead of a volume. */
  readonly directory?: string;
  /** Keep the backups on the host when the stack goes. Default: false. */
  readonly retain?: boolean;
  /** Further labels. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A mount as the Docker provider takes it. */
export interface Mount {
  readonly type: "volume" | "bind";
  readonly source: pulumi.Input<string>;
  readonly target: string;
  readonly readOnly?: boolean;
}

/** What backups and the agent that takes them need on the Docker host. */
export class BackupStorage extends pulumi.ComponentResource {
  /** Backups and the local archive. */
  readonly backups: Mount;
  /** The agent's code and configuration, and the keys of the backups: where the server has its own configuration. */
  readonly configuration: Mount;
  /** The server's socket folder: the agent signs in by it, as the server's own user. */
  readonly socket: Mount;
  /** Room for throw-away clusters: what agent and sandbox share. */
  readonly scratch: Mount;

  constructor(name: string, args: BackupStorageArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:BackupStorage", name, {}, options);
    const retain = args.retain ?? false;
    this.backups =
      args.directory === undefined
        ? this.volume(`${name}-backups`, args.volumeName, BACKUP_DIRECTORY, args, retain)
        : { type: "bind", source: args.directory, target: BACKUP_DIRECTORY };
    this.configuration = {
      ...this.volume(`${name}-agent`, agentVolume(args.prefix), CONFIGURATION_DIRECTORY, args, false),
      readOnly: true,
    };
    this.socket = this.volume(`${name}-socket`, socketVolume(args.prefix), SOCKET_DIRECTORY, args, false);
    this.scratch = this.volume(`${name}-scratch`, scratchVolume(args.prefix), SCRATCH_DIRECTORY, args, false);
    this.registerOutputs({ backups: this.backups.source });
  }

  private volume(
    name: string,
    volumeName: string,
    target: string,
    args: BackupStorageArgs,
    retain: boolean,
  ): Mount {
    const labels = dockerLabels(args.stack, pulumi.getProject(), args.labels);
    const volume = new docker.Volume(
      name,
      { name: volumeName, driver: "local", labels },
      // As with the data's volume: the provider would delete it to make it anew.
      { parent: this, retainOnDelete: retain, ignoreChanges: ["labels", "driverOpts"] },
    );
    return { type: "volume", source: volume.name, target };
  }
}
