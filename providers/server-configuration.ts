import type * as pulumi from "@pulumi/pulumi";
import type { PgHbaOptions } from "../operations/pg-hba.ts";
import type { ParameterValue } from "../operations/postgresql-conf.ts";
import type { Target } from "../operations/target.ts";
import { OperationResource } from "./operation-resource.ts";

/** The server's TLS files: generated ones by their text, files on the operator's machine by their place and fingerprint. */
export type ServerTls =
  | { readonly mode: "off" }
  | {
      readonly mode: "generated";
      readonly authority: string;
      readonly certificate: string;
      readonly key: string;
    }
  | {
      readonly mode: "files";
      /** Directory that holds `<domain>/fullchain.pem` and `<domain>/privkey.pem`. */
      readonly certificatesDirectory: string;
      readonly domain: string;
      /** SHA-256 over certificate and key, so that a renewed pair is a change. */
      readonly fingerprint: string;
    };

/** What the configuration volume holds. */
export interface ServerConfigurationInputs {
  readonly target: Target;
  readonly configurationVolume: string;
  /** Image whose postgres user owns the files. */
  readonly imageId: string;
  /** PostgreSQL parameters by name. */
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  /** What the stack is for. */
  readonly environment: string;
  /** Archive the write-ahead log, a segment that is not full after this long. Absent: no archive. */
  readonly archiveTimeoutSeconds?: number;
  /** Who may sign in from where. */
  readonly access: Omit<PgHbaOptions, "tls">;
  readonly tls: ServerTls;
  readonly labels: Readonly<Record<string, string>>;
  readonly logsDirectory: string;
}

/** What is known once the files are there. */
export interface ServerConfigurationResults {
  /** Names of settings that wait for a restart of the server. */
  readonly pendingRestart: readonly string[];
}

/** The server's configuration files and certificates, in its configuration volume; a change is checked, then reloaded. */
export class ServerConfiguration extends OperationResource {
  constructor(
    name: string,
    inputs: pulumi.Inputs &
      Record<Exclude<keyof ServerConfigurationInputs, "archiveTimeoutSeconds">, unknown>,
    options: pulumi.CustomResourceOptions,
  ) {
    super("ServerConfiguration", import.meta.resolve("./server-configuration.provider.ts"), name, inputs, {
      ...options,
      additionalSecretOutputs: ["tls"],
    });
  }
}
