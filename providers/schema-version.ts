import type * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** Where the schema of a database is to be. */
export interface SchemaVersionInputs {
  readonly target: Target;
  /** Role that owns the schema. */
  readonly administrator: string;
  /** Roles that use what the migrations make; absent in the state of stacks from before. */
  readonly users?: { readonly application: string; readonly readonly: string };
  /** Secret. */
  readonly password: string;
  /** PEM text of the authority to verify the server by; empty for the machine's own, and when TLS is off. */
  readonly authority: string;
  /** Name that the server's certificate must carry. */
  readonly serverName: string;
  readonly tls: boolean;
  /** Digits of the last migration; `0`: none. */
  readonly version: string;
  /** Over the migrations up to it. */
  readonly checksum: string;
  /** Changes with whatever puts another schema in the database's place. */
  readonly trigger: string;
  /** Seconds that the server may take to accept connections. */
  readonly readyTimeoutSeconds: number;
  readonly logsDirectory: string;
}

/** What the last run did. */
export interface SchemaVersionResults {
  /** Names of the migrations that it applied. */
  readonly applied: readonly string[];
}

/** The version of a database's schema: migrations up to it are applied, nothing is taken back. */
export class SchemaVersionResource extends OperationResource {
  constructor(
    name: string,
    inputs: { [Key in keyof SchemaVersionInputs]: pulumi.Input<SchemaVersionInputs[Key]> },
    options: pulumi.CustomResourceOptions,
  ) {
    super(
      "SchemaVersion",
      import.meta.resolve("./schema-version.provider.ts"),
      name,
      { ...inputs, applied: undefined },
      { ...options, additionalSecretOutputs: ["password"] },
    );
  }
}
