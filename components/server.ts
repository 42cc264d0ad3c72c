import { createHash } from "node:crypto";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { ResolvedImage } from "../operations/image.ts";
import type { PgHbaOptions } from "../operations/pg-hba.ts";
import { needsRestart, type ParameterValue, renderPostgresqlConf } from "../operations/postgresql-conf.ts";
import { LABEL_ENVIRONMENT, type Target } from "../operations/target.ts";
import { TEST_PATTERN } from "../operations/testing/names.ts";
import { ContainerNetworks } from "../providers/container-networks.ts";
import type { FirstProvision } from "../providers/role.ts";
import { ServerConfiguration, type ServerTls } from "../providers/server-configuration.ts";
import type { Mount } from "./backup-storage.ts";
import { dockerLabels, labelRecord } from "./labels.ts";
import { type ContainerLimits, NETWORK_ALIAS, serverContainer } from "./server-container.ts";
import { serverHooks } from "./server-hooks.ts";

/** What a {@link Server} is made from. */
export interface ServerArgs {
  readonly stack: string;
  readonly containerName: string;
  /** Port inside the container. Default: 5432. */
  readonly port?: number;
  /** Name of the application's database, for connections and for pg_hba. */
  readonly database: string;
  /** Names of the three roles, for pg_hba. */
  readonly roles: Readonly<Record<"administrator" | "application" | "readonly", string>>;
  readonly image: ResolvedImage;
  /** Name or id of the server's network. By its id the server follows a network that was made anew. */
  readonly networkName: pulumi.Input<string>;
  /** Name or id of the ordinary network that a published port comes from. Needed with `publish`. */
  readonly accessNetworkName?: pulumi.Input<string>;
  /** Publish the port on an address of the Docker host. Default: no. */
  readonly publish?: { readonly address: string; readonly port: number };
  readonly dataVolume: pulumi.Input<string>;
  /** Where the cluster is in the container. Default: the folder that the volume has for it. */
  readonly dataDirectory?: string;
  readonly configurationVolume: pulumi.Input<string>;
  readonly tls: pulumi.Input<ServerTls>;
  readonly tlsEnabled: boolean;
  /** PostgreSQL parameters by name. One that needs a restart replaces the container. */
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  /** Networks that clients come from. Default: all, as the network is the stack's own. */
  readonly clientAddresses?: readonly string[];
  /** Hand the write-ahead log to an agent: the mounts that it takes, and seconds until a segment that is not full is handed over. Default: no. */
  readonly archive?: { readonly mounts: readonly Mount[]; readonly timeoutSeconds: number };
  readonly limits: ContainerLimits;
  /** Room that is held back on the data volume, for a server that has filled it to recover with. Default: none. */
  readonly ballastMegabytes?: number;
  /** Seconds that a stop may take before the server is killed. Default: 120. */
  readonly stopGraceSeconds?: number;
  /** What the stack is for: a label of the container, without which nothing of it is ever reset for tests. Default: development. */
  readonly environment?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly logsDirectory: string;
}

/** PostgreSQL in a container that may do nothing but be PostgreSQL. */
export class Server extends pulumi.ComponentResource {
  /** How operations reach the server, once its container runs. */
  readonly target: pulumi.Output<Target>;
  /** What a first `up` that fails clears away. */
  readonly firstProvision: pulumi.Output<FirstProvision>;
  /** The container, for others to depend on. */
  readonly container: docker.Container;
  readonly containerId: pulumi.Output<string>;
  /** Changes whenever the server runs with other files. */
  readonly configurationFingerprint: pulumi.Output<string>;

  constructor(name: string, args: ServerArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Server", name, {}, options);
    const target: Target = {
      stack: args.stack,
      container: args.containerName,
      port: args.port ?? 5432,
      database: args.database,
    };
    const image = this.createImage(name, args);
    const configuration = this.createConfiguration(name, args, target);
    const container = this.createContainer(name, args, target, image, configuration);
    new ContainerNetworks(
      `${name}-networks`,
      {
        stack: args.stack,
        container: args.containerName,
        networks: pulumi.all([
          args.networkName,
          ...(args.accessNetworkName === undefined ? [] : [args.accessNetworkName]),
        ]),
        aliases: [NETWORK_ALIAS],
        logsDirectory: args.logsDirectory,
      },
      { parent: this, dependsOn: container, deletedWith: container },
    );
    this.target = container.id.apply(() => target);
    this.firstProvision = pulumi
      .output(args.dataVolume)
      .apply((dataVolume) => firstProvision(args, dataVolume));
    this.container = container;
    this.containerId = container.id;
    this.configurationFingerprint = pulumi.unsecret(
      pulumi
        .all([args.tls, args.parameters, access(args), args.archive?.timeoutSeconds])
        .apply((texts) => fingerprint(texts)),
    );
    this.registerOutputs({ containerId: this.containerId });
  }

  private createImage(name: string, args: ServerArgs): docker.RemoteImage {
    const { image } = args;
    return new docker.RemoteImage(
      `${name}-image`,
      {
        name: image.digest === undefined ? image.reference : image.pinned,
        keepLocally: true,
        pullTriggers: [image.imageId],
      },
      { parent: this },
    );
  }

  private createConfiguration(name: string, args: ServerArgs, target: Target): ServerConfiguration {
    return new ServerConfiguration(
      `${name}-configuration`,
      {
        target,
        configurationVolume: args.configurationVolume,
        imageId: args.image.imageId,
        parameters: args.parameters,
        environment: args.environment ?? "development",
        ...(args.archive === undefined ? {} : { archiveTimeoutSeconds: args.archive.timeoutSeconds }),
        access: access(args),
        tls: args.tls,
        labels: labelRecord(args.stack, pulumi.getProject(), args.labels),
        logsDirectory: args.logsDirectory,
      },
      { parent: this },
    );
  }

  private createContainer(
    name: string,
    args: ServerArgs,
    target: Target,
    image: docker.RemoteImage,
    configuration: ServerConfiguration,
  ): docker.Container {
    const graceSeconds = args.stopGraceSeconds ?? 120;
    const { stack } = args;
    return new docker.Container(
      name,
      serverContainer({
        ...args,
        // The one that was resolved, known in a preview too; the image's resource brings and holds it.
        image: args.image.imageId,
        imageVolumes: args.image.volumes,
        port: target.port,
        probeRole: args.roles.administrator,
        graceSeconds,
        ...(args.archive === undefined ? {} : { mounts: args.archive.mounts }),
        labels: [
          ...dockerLabels(stack, pulumi.getProject(), args.labels),
          { label: LABEL_ENVIRONMENT, value: args.environment ?? "development" },
          { label: "pgstack.restart", value: restartFingerprint(args) },
        ],
      }),
      {
        parent: this,
        deleteBeforeReplace: true,
        replaceOnChanges: ["healthcheck", "user", "readOnly", "capabilities", "securityOpts"],
        dependsOn: [configuration, image],
        hooks: serverHooks(name, {
          target,
          image: args.image.pinned,
          limits: args.limits,
          ...(args.publish === undefined ? {} : { publish: args.publish }),
          graceSeconds,
          logsDirectory: args.logsDirectory,
        }),
      },
    );
  }
}

function firstProvision(args: ServerArgs, dataVolume: string): FirstProvision {
  return { dataVolume, imageId: args.image.imageId, logsDirectory: args.logsDirectory };
}

function renderParameters(args: ServerArgs): string {
  return renderPostgresqlConf(args.parameters, {
    tls: args.tlsEnabled,
    port: args.port ?? 5432,
    ...(args.archive === undefined ? {} : { archiveTimeoutSeconds: args.archive.timeoutSeconds }),
  });
}

function access(args: ServerArgs): Omit<PgHbaOptions, "tls"> {
  return {
    database: args.database,
    ...args.roles,
    ...(args.clientAddresses === undefined ? {} : { clientAddresses: args.clientAddresses }),
    ...(args.environment === "test" ? { testDatabases: TEST_PATTERN } : {}),
  };
}

/**
 * Changes when something does that takes a new container, without being an argument of it: a parameter that only a
 * restart applies, the limit of processes. As a label it makes the preview say so.
 */
function restartFingerprint(args: ServerArgs): string {
  const lines = renderParameters(args)
    .split("\n")
    .filter((line) => needsRestart(line.split(" = ")[0] ?? ""));
  return fingerprint([...lines, args.limits.processes]).slice(0, 16);
}

function fingerprint(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
