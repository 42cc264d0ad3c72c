import type * as pulumi from "@pulumi/pulumi";
import type { HealthThresholds } from "../operations/health/thresholds.ts";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";
import type { FirstProvision } from "./role.ts";

/** What the health check needs, and what makes it run again when it changes. */
export interface HealthCheckInputs {
  readonly target: Target;
  readonly passwords: Readonly<Record<"administrator" | "application" | "readonly", string>>;
  readonly roles: Readonly<Record<"administrator" | "application" | "readonly", string>>;
  /** PEM text of the authority to verify the server by; empty for the machine's own, and when TLS is off. */
  readonly authority: string;
  /** Name that the server's certificate must carry. */
  readonly serverName: string;
  readonly tls: boolean;
  /** Anything whose change calls for another check: the container, its configuration, the roles. */
  readonly triggers: readonly string[];
  /** Seconds that the server may take to accept connections. */
  readonly readyTimeoutSeconds: number;
  readonly thresholds: HealthThresholds;
  /** Cron line; empty: there are no backups. */
  readonly backupSchedule: string;
  /** Look at the object storage first. Absent: nothing is asked of it. */
  readonly protectedStorage?: boolean;
  /** Take a last backup before the stack goes. */
  readonly finalBackup: boolean;
  /** The stack goes only with a backup that was proven within a day. */
  readonly requireProof: boolean;
  /** The stack goes only until this time, empty: never; null: always. */
  readonly destroyUntil: string | null;
  readonly firstProvision: FirstProvision;
}

/** What the last check found. */
export interface HealthCheckResults {
  readonly status: string;
  readonly serverVersion: string;
  /** The cluster's system identifier, by which a later run knows it again. */
  readonly systemIdentifier: string;
  /** Id of the backup folder, by which another one in its place is noticed; empty when there is none yet. */
  readonly backupFolder: string;
}

/** The gate at the end of an `up`: it fails when the server is not healthy. */
export class HealthCheckResource extends OperationResource {
  declare readonly status: pulumi.Output<string>;
  declare readonly serverVersion: pulumi.Output<string>;
  declare readonly systemIdentifier: pulumi.Output<string>;
  declare readonly backupFolder: pulumi.Output<string>;

  constructor(
    name: string,
    inputs: {
      [Key in keyof Omit<HealthCheckInputs, "protectedStorage">]: pulumi.Input<HealthCheckInputs[Key]>;
    } & Pick<HealthCheckInputs, "protectedStorage">,
    options: pulumi.CustomResourceOptions,
  ) {
    super(
      "HealthCheck",
      import.meta.resolve("./health-check.provider.ts"),
      name,
      {
        ...inputs,
        status: undefined,
        serverVersion: undefined,
        systemIdentifier: undefined,
        backupFolder: undefined,
      },
      { ...options, additionalSecretOutputs: ["passwords"] },
    );
  }
}
