import * as pulumi from "@pulumi/pulumi";
import type { Target } from "../operations/target.ts";
import { SchemaVersionResource } from "../providers/schema-version.ts";

/** What a {@link SchemaVersion} is made from. */
export interface SchemaVersionArgs {
  /** The server, once its database is there. */
  readonly target: pulumi.Input<Target>;
  /** Role that owns the schema. */
  readonly administrator: string;
  /** Roles that use what the migrations make: they get the stack's grants on it. */
  readonly users: { readonly application: string; readonly readonly: string };
  readonly password: pulumi.Input<string>;
  /** PEM text to verify the server by; empty for the machine's own authorities, and when TLS is off. */
  readonly authority: pulumi.Input<string>;
  /** Name that the server's certificate must carry. */
  readonly serverName: string;
  readonly tls: boolean;
  /** Digits of the last migration that is to be applied; `0`: none. */
  readonly version: string;
  /** Over the migrations up to it, so that another file is a change. */
  readonly checksum: string;
  /** Changes with whatever puts another schema in the database's place. Default: nothing does. */
  readonly trigger?: string;
  /** Seconds that the server may take to accept connections. Default: 60. */
  readonly readyTimeoutSeconds?: number;
  readonly logsDirectory: string;
}

/** Brings a database's schema to a version, by the migrations in `migrations/`; takes nothing back. */
export class SchemaVersion extends pulumi.ComponentResource {
  /** The version that the schema is at. */
  readonly version: pulumi.Output<string>;

  constructor(name: string, args: SchemaVersionArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:SchemaVersion", name, {}, options);
    const { trigger = "", readyTimeoutSeconds = 60 } = args;
    const resource = new SchemaVersionResource(
      name,
      { ...args, trigger, readyTimeoutSeconds },
      { parent: this },
    );
    this.version = resource.id.apply(() => args.version);
    this.registerOutputs({ version: this.version });
  }
}
