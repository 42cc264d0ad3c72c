import type * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** What the agent's volume holds. */
export interface BackupConfigurationInputs {
  readonly target: Target;
  readonly volume: string;
  /** Image whose postgres user owns the files. */
  readonly imageId: string;
  /** Text of agent.json. */
  readonly agent: string;
  /** Text of pgbackrest.conf. Secret. */
  readonly pgbackrest: string;
  /** The same for each of several repositories alone, by its name. Secret. */
  readonly repositories: Readonly<Record<string, string>>;
  /** What logical backups are encrypted with; empty: they are not. Secret. */
  readonly key: string;
  /** Certificate of an object storage's authority as PEM; empty: the machine's own authorities. */
  readonly storageAuthority: string;
  /** Changes with the agent's code. */
  readonly code: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly logsDirectory: string;
}

/** The agent's code and configuration, and pgBackRest's, in a volume that the server does not have. */
export class BackupConfiguration extends OperationResource {
  constructor(
    name: string,
    inputs: { [Key in keyof BackupConfigurationInputs]: pulumi.Input<BackupConfigurationInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    super("BackupConfiguration", import.meta.resolve("./backup-configuration.provider.ts"), name, inputs, {
      ...options,
      additionalSecretOutputs: ["pgbackrest", "repositories", "key"],
    });
  }
}
