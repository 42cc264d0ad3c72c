import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import {
  agentConfiguration,
  type BackupPlaces,
  type BackupPlan,
  pgbackrestOptions,
} from "../operations/backup-configuration.ts";
import { renderPgbackrestConf, renderRepositoryConfs } from "../operations/pgbackrest-conf.ts";
import { BackupConfiguration } from "../providers/backup-configuration.ts";
import { labelRecord } from "./labels.ts";

/** What {@link BackupFiles} are made from. */
export interface BackupFilesArgs extends BackupPlaces, BackupPlan {
  /** Name of the volume that they are written into: the agent's alone. */
  readonly volume: pulumi.Input<string>;
  readonly imageId: string;
  /** What backups are encrypted with. A secret. Default: a key of the stack's own. */
  readonly key?: string;
  /** Refuse to let the stack's own key go, and with it the stack. Default: false. */
  readonly protectKey?: boolean;
  /** Fingerprint of the agent's code. */
  readonly code: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly logsDirectory: string;
}

/** The files by which the agent knows where backups go and when; and the key that they are encrypted with. */
export class BackupFiles extends pulumi.ComponentResource {
  /** Changes whenever the agent has to start anew. */
  readonly fingerprint: string;
  /** What backups are encrypted with; undefined when they are not. A secret. */
  readonly key: pulumi.Output<string> | undefined;

  constructor(name: string, args: BackupFilesArgs, resourceOptions?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:BackupFiles", name, {}, resourceOptions);
    this.key = args.encrypted ? this.keyOf(name, args) : undefined;
    const configuration = agentConfiguration(args, { ...args, sandbox: true });
    const agent = JSON.stringify(configuration, undefined, 2);
    const options = pulumi.output(this.key).apply((key) => pgbackrestOptions(args, key));
    this.fingerprint = `${args.code}-${hashOf(agent)}`;
    new BackupConfiguration(
      name,
      {
        target: args.target,
        volume: args.volume,
        imageId: args.imageId,
        agent,
        pgbackrest: pulumi.secret(options.apply(renderPgbackrestConf)),
        repositories: pulumi.secret(options.apply(renderRepositoryConfs)),
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

  private keyOf(
    name: string,
    { key, protectKey = false }: Pick<BackupFilesArgs, "key" | "protectKey">,
  ): pulumi.Output<string> {
    if (key !== undefined) return pulumi.secret(key);
    // That settings do not take it away from backups is seen to by the provider of the files.
    const options = { parent: this, protect: protectKey };
    return new random.RandomPassword(`${name}-key`, { length: 48, special: false }, options).result;
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
