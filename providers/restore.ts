import type * as pulumi from "@pulumi/pulumi";
import type { RecoveryTarget } from "../operations/restore.ts";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** What is brought back to when. */
export interface RestoreInputs {
  readonly target: Target;
  /** Another value is another restore. */
  readonly wanted: RecoveryTarget;
  /** Why what fails verification is taken; another value restores nothing. */
  readonly accept?: string;
  /** Names of the roles that what is restored must have. */
  readonly roles: readonly string[];
  readonly environment: string;
  /** Until when production may be restored; empty: it may not. */
  readonly allowedUntil: string;
  readonly readyTimeoutSeconds: number;
  readonly logsDirectory: string;
}

/** What was done. */
export interface RestoreResults {
  readonly restoreId: string;
  /** The backup that it began with. */
  readonly backup: string;
  readonly lsn: string;
  /** Backup of the state before; empty when there could be none. */
  readonly safetyBackup: string;
}

/** A restore in place by the stack's config: done once for each value, in the same order as by command. */
export class Restore extends OperationResource {
  declare readonly restoreId: pulumi.Output<string>;

  constructor(
    name: string,
    inputs: { [Key in keyof RestoreInputs]: pulumi.Input<RestoreInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    super(
      "Restore",
      import.meta.resolve("./restore.provider.ts"),
      name,
      { ...inputs, restoreId: undefined, backup: undefined, lsn: undefined, safetyBackup: undefined },
      options,
    );
  }
}
