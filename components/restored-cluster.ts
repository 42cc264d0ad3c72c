import * as pulumi from "@pulumi/pulumi";
import {
  agentConfiguration,
  type BackupPlaces,
  type BackupPlan,
  pgbackrestOptions,
} from "../operations/backup-configuration.ts";
import { renderPgbackrestConf } from "../operations/pgbackrest-conf.ts";
import type { RecoveryTarget } from "../operations/restore.ts";
import { SeededCluster } from "../providers/seeded-cluster.ts";
import { labelRecord } from "./labels.ts";

/** What a {@link RestoredCluster} is made from. */
export interface RestoredClusterArgs extends BackupPlaces {
  readonly wanted: RecoveryTarget;
  /** Why what fails verification is taken. Default: it is refused. */
  readonly accept?: string;
  /** Where the local repository is; absent: only in the object storage. */
  readonly source?: { readonly type: "volume" | "bind"; readonly place: string };
  /** What the backups are encrypted with. */
  readonly encryptionKey?: pulumi.Input<string>;
  /** Network to reach an object storage by. */
  readonly networkName?: pulumi.Input<string>;
  readonly verification: BackupPlan["verification"];
  readonly dataVolume: pulumi.Input<string>;
  readonly imageId: string;
  readonly limits: { readonly memoryMegabytes: number; readonly cpus: number };
  readonly labels?: Readonly<Record<string, string>>;
  readonly logsDirectory: string;
}

/** What a plan needs that never runs. */
const NO_PLAN = {
  fullDays: 1,
  schedule: { backup: "0 0 1 1 *", drill: "0 0 1 1 *" },
  retention: { days: 1, weeks: 0, months: 0 },
};

/** The first cluster of a stack, made from another one's backups in place of an empty one. The backups are only read. */
export class RestoredCluster extends pulumi.ComponentResource {
  constructor(name: string, args: RestoredClusterArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:RestoredCluster", name, {}, options);
    const plan = { ...NO_PLAN, verification: args.verification };
    new SeededCluster(
      name,
      {
        target: args.target,
        wanted: args.wanted,
        ...(args.accept === undefined ? {} : { accept: args.accept }),
        dataVolume: args.dataVolume,
        imageId: args.imageId,
        agent: JSON.stringify(agentConfiguration(args, plan), undefined, 2),
        pgbackrest: pulumi.secret(
          pulumi
            .output(args.encryptionKey)
            .apply((key) => renderPgbackrestConf(pgbackrestOptions(args, key))),
        ),
        ...(args.encryptionKey === undefined ? {} : { key: pulumi.secret(args.encryptionKey) }),
        storageAuthority: args.storage?.authority ?? "",
        source: args.source ?? null,
        network: args.networkName ?? "",
        limits: args.limits,
        labels: labelRecord(args.target.stack, pulumi.getProject(), args.labels),
        logsDirectory: args.logsDirectory,
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
