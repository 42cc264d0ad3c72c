import type * as pulumi from "@pulumi/pulumi";
import type { RecoveryTarget } from "../operations/restore.ts";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** What a first cluster is restored from. */
export interface SeededClusterInputs {
  readonly target: Target;
  readonly wanted: RecoveryTarget;
  /** Why what fails verification is taken. */
  readonly accept?: string;
  readonly dataVolume: string;
  readonly imageId: string;
  /** Text of the agent's configuration, for the repository that is read. */
  readonly agent: string;
  /** Text of pgBackRest's. Secret. */
  readonly pgbackrest: string;
  /** What the backups are encrypted with; absent: nothing. Secret. */
  readonly key?: string;
  /** PEM text; empty: the machine's own authorities. */
  readonly storageAuthority: string;
  /** Where the local repository is; null: there is none. */
  readonly source: { readonly type: "volume" | "bind"; readonly place: string } | null;
  /** Network to reach an object storage by; empty: none. */
  readonly network: string;
  readonly limits: { readonly memoryMegabytes: number; readonly cpus: number };
  readonly labels: Readonly<Record<string, string>>;
  readonly logsDirectory: string;
}

/** What was restored. */
export interface SeededClusterResults {
  readonly backup: string;
  readonly lsn: string;
  readonly lastCommitAt: string;
}

/** A stack's first cluster, restored once: another target or place is refused, what else changes is only noted. */
export class SeededCluster extends OperationResource {
  declare readonly backup: pulumi.Output<string>;
  declare readonly lsn: pulumi.Output<string>;

  constructor(
    name: string,
    inputs: { [Key in keyof SeededClusterInputs]: pulumi.Input<SeededClusterInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    super(
      "SeededCluster",
      import.meta.resolve("./seeded-cluster.provider.ts"),
      name,
      { ...inputs, backup: undefined, lsn: undefined, lastCommitAt: undefined },
      { ...options, additionalSecretOutputs: ["pgbackrest", "key"] },
    );
  }
}
