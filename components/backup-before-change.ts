import * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { Backup } from "../providers/backup.ts";

/** What a {@link BackupBeforeChange} is made from. */
export interface BackupBeforeChangeArgs {
  readonly target: Target;
  /** Changes with whatever calls for a backup. */
  readonly trigger: pulumi.Input<string>;
  /** Go on only with a backup that a restore has proven within a day. Default: false. */
  readonly requireProof?: boolean;
  readonly logsDirectory: string;
}

/** A backup that is taken before what depends on it changes; when it fails, nothing is changed. */
export class BackupBeforeChange extends pulumi.ComponentResource {
  /** Id of the last one; empty as long as there was nothing to be backed up. */
  readonly backupId: pulumi.Output<string>;

  constructor(name: string, args: BackupBeforeChangeArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:BackupBeforeChange", name, {}, options);
    const { target, trigger, requireProof = false, logsDirectory } = args;
    const inputs = { target, label: "before change", trigger, requireProof, logsDirectory };
    this.backupId = new Backup(name, inputs, { parent: this }).backupId;
    this.registerOutputs({ backupId: this.backupId });
  }
}
