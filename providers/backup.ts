import type * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** What is backed up when. */
export interface BackupInputs {
  readonly target: Target;
  readonly label: string;
  /** A backup is taken when this changes. */
  readonly trigger: string;
  /** Production changes only with a backup that was proven within a day. */
  readonly requireProof: boolean;
  readonly logsDirectory: string;
}

/** The backup that was taken last; empty where there was nothing to be backed up yet. */
export interface BackupResults {
  readonly backupId: string;
  readonly kind: string;
  readonly finishedAt: string;
  readonly bytes: number;
  readonly checksum: string;
  readonly serverVersion: string;
  readonly schemaFingerprint: string;
  readonly verification: string;
}

/** A backup that the stack's state names: taken before whatever depends on it is changed. */
export class Backup extends OperationResource {
  declare readonly backupId: pulumi.Output<string>;

  constructor(
    name: string,
    inputs: { [Key in keyof BackupInputs]: pulumi.Input<BackupInputs[Key]> },
    options: pulumi.CustomResourceOptions = {},
  ) {
    super(
      "Backup",
      import.meta.resolve("./backup.provider.ts"),
      name,
      {
        ...inputs,
        ...{ backupId: undefined, kind: undefined, finishedAt: undefined, bytes: undefined },
        ...{ checksum: undefined, serverVersion: undefined, schemaFingerprint: undefined },
        verification: undefined,
      },
      options,
    );
  }
}
