import * as pulumi from "@pulumi/pulumi";
import { DEFAULT_THRESHOLDS, type HealthThresholds } from "../operations/health/thresholds.ts";
import type { Target } from "../operations/target.ts";
import { HealthCheckResource } from "../providers/health-check.ts";
import type { FirstProvision } from "../providers/role.ts";
import type { RoleKind } from "./role-secrets.ts";

/** What a {@link HealthCheck} is made from. */
export interface HealthCheckArgs {
  readonly target: pulumi.Input<Target>;
  readonly roles: Readonly<Record<RoleKind, string>>;
  readonly passwords: Readonly<Record<RoleKind, pulumi.Input<string>>>;
  /** PEM text to verify the server by; empty for the machine's own authorities, and when TLS is off. */
  readonly authority: pulumi.Input<string>;
  /** Name that the server's certificate must carry. */
  readonly serverName: string;
  /** Whether clients must use TLS. */
  readonly tls: boolean;
  /** Anything whose change calls for another check. */
  readonly triggers: readonly pulumi.Input<string>[];
  /** Seconds that the server may take to accept connections. Default: 60. */
  readonly readyTimeoutSeconds?: number;
  /** When it warns and when it fails. Default: those of every health check. */
  readonly thresholds?: HealthThresholds;
  /** The schedule of backups, as a cron line. Absent: there are none. */
  readonly backupSchedule?: string;
  /** The object storage is to keep what is deleted: it is looked at first. Default: false. */
  readonly protectedStorage?: boolean;
  /** Take a last backup before the stack goes. Default: false. */
  readonly finalBackup?: boolean;
  /** The stack goes only with a backup that was proven within a day. Default: false. */
  readonly requireProof?: boolean;
  /** The stack goes only until this time, empty: never. Default: always. */
  readonly destroyUntil?: string;
  /** What a first `up` that fails clears away. */
  readonly firstProvision: pulumi.Input<FirstProvision>;
}

/** The gate at the end of an `up`: readiness, a query as each role, a write, and room to grow. */
export class HealthCheck extends pulumi.ComponentResource {
  /** `ok` or `warning`; an `up` with a failed check fails. */
  readonly status: pulumi.Output<string>;
  /** Version that the server tells. */
  readonly serverVersion: pulumi.Output<string>;
  /** The cluster's system identifier. */
  readonly systemIdentifier: pulumi.Output<string>;
  /** Id of the folder with the backups; empty where there are none. */
  readonly backupFolder: pulumi.Output<string>;

  constructor(name: string, args: HealthCheckArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:HealthCheck", name, {}, options);
    const check = new HealthCheckResource(
      name,
      {
        target: args.target,
        roles: args.roles,
        passwords: pulumi
          .all([args.passwords.administrator, args.passwords.application, args.passwords.readonly])
          .apply(([administrator, application, readonly]) => ({ administrator, application, readonly })),
        authority: args.authority,
        serverName: args.serverName,
        tls: args.tls,
        triggers: pulumi.all([...args.triggers]),
        readyTimeoutSeconds: args.readyTimeoutSeconds ?? 60,
        thresholds: args.thresholds ?? DEFAULT_THRESHOLDS,
        backupSchedule: args.backupSchedule ?? "",
        ...(args.protectedStorage ? { protectedStorage: true } : {}),
        finalBackup: args.finalBackup ?? false,
        requireProof: args.requireProof ?? false,
        destroyUntil: args.destroyUntil ?? null,
        firstProvision: args.firstProvision,
      },
      { parent: this },
    );
    this.status = check.status;
    this.serverVersion = check.serverVersion;
    this.systemIdentifier = check.systemIdentifier;
    this.backupFolder = check.backupFolder;
    this.registerOutputs({
      status: this.status,
      serverVersion: this.serverVersion,
      systemIdentifier: this.systemIdentifier,
    });
  }
}
