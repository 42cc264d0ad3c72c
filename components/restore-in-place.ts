import * as pulumi from "@pulumi/pulumi";
import type { RecoveryTarget } from "../operations/restore.ts";
import type { Target } from "../operations/target.ts";
import { Restore } from "../providers/restore.ts";

/** What a {@link RestoreInPlace} is made from. */
export interface RestoreInPlaceArgs {
  /** The server, once its container runs. */
  readonly target: pulumi.Input<Target>;
  /** What to bring the database back to. Another value is another restore. */
  readonly wanted: RecoveryTarget;
  /** Why what fails verification is taken. Default: it is kept beside the database in use, for a decision. */
  readonly accept?: string;
  /** Names of the roles that what is restored must have. */
  readonly roles: readonly string[];
  /** What the stack is for: production needs a permission. */
  readonly environment: string;
  /** Until when production may be restored. Default: it may not. */
  readonly allowedUntil?: string;
  /** Seconds that the server may take to accept connections. Default: 60. */
  readonly readyTimeoutSeconds?: number;
  readonly logsDirectory: string;
}

/** The stack's database brought back to a backup or a point in time, once for each value. */
export class RestoreInPlace extends pulumi.ComponentResource {
  /** Id of the last one, for what has to be compared anew afterwards. */
  readonly restoreId: pulumi.Output<string>;

  constructor(name: string, args: RestoreInPlaceArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:RestoreInPlace", name, {}, options);
    const restore = new Restore(
      name,
      {
        target: args.target,
        wanted: args.wanted,
        ...(args.accept === undefined ? {} : { accept: args.accept }),
        roles: [...args.roles],
        environment: args.environment,
        allowedUntil: args.allowedUntil ?? "",
        readyTimeoutSeconds: args.readyTimeoutSeconds ?? 60,
        logsDirectory: args.logsDirectory,
      },
      { parent: this },
    );
    this.restoreId = restore.restoreId;
    this.registerOutputs({ restoreId: this.restoreId });
  }
}
