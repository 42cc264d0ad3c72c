import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { DATA_VOLUME_VARIABLE } from "../operations/before-start/lost-cluster.ts";
import { BALLAST_VARIABLE, ENTRYPOINT } from "../operations/before-start.ts";
import { SOCKET_DIRECTORY } from "../operations/container-directories.ts";
import { DATA_DIRECTORY, DATA_MOUNT } from "../operations/data-directory.ts";
import { CONFIGURATION_DIRECTORY, CONFIGURATION_FILES } from "../operations/postgresql-conf.ts";
import type { Mount } from "./backup-storage.ts";
import { BOUNDED_LOG, CONFINED } from "./confined.ts";

/** What the container may use of its host. */
export interface ContainerLimits {
  /** Memory, in megabytes; there is no swap beside it. */
  readonly memoryMegabytes: number;
  /** Processor cores, for example 1.5. */
  readonly cpus: number;
  /** Processes and threads. */
  readonly processes: number;
  /** Size of /dev/shm, in megabytes. */
  readonly sharedMemoryMegabytes: number;
}

/** What {@link serverContainer} puts together. */
export interface ServerContainerOptions {
  readonly containerName: string;
  /** Role that the health probe asks for: one that pg_hba lets in, so that a refusal in the log is a real one. */
  readonly probeRole: string;
  readonly image: pulumi.Input<string>;
  readonly port: number;
  readonly networkName: pulumi.Input<string>;
  readonly accessNetworkName?: pulumi.Input<string>;
  readonly publish?: { readonly address: string; readonly port: number };
  readonly dataVolume: pulumi.Input<string>;
  /** Default: the volume's folder for the cluster. */
  readonly dataDirectory?: string;
  readonly configurationVolume: pulumi.Input<string>;
  readonly limits: ContainerLimits;
  /** Room that is held back on the data volume. Default: none. */
  readonly ballastMegabytes?: number;
  readonly graceSeconds: number;
  readonly labels: { label: string; value: string }[];
  /** Further mounts. One on the socket's folder takes the place of the file system in memory there. */
  readonly mounts?: readonly Mount[];
  /** Folders that the image declares as volumes. */
  readonly imageVolumes: readonly string[];
}

/** Name of the server on its network, beside its container's. */
export const NETWORK_ALIAS = "postgres";

/** The container's definition: not root, nothing writable but its volumes and two tmpfs, no capability, bounded. */
export function serverContainer(options: ServerContainerOptions): docker.ContainerArgs {
  const { limits, graceSeconds, publish } = options;
  return {
    name: options.containerName,
    hostname: options.containerName,
    image: options.image,
    entrypoints: [...ENTRYPOINT],
    command: [
      "postgres",
      "-c",
      `config_file=${CONFIGURATION_DIRECTORY}/${CONFIGURATION_FILES.postgresqlConf}`,
    ],
    envs: [
      `PGDATA=${options.dataDirectory ?? DATA_DIRECTORY}`,
      `${BALLAST_VARIABLE}=${(options.ballastMegabytes ?? 0) * 1024}`,
      pulumi.interpolate`${DATA_VOLUME_VARIABLE}=${options.dataVolume}`,
    ],
    ...CONFINED,
    // The mode is said, since Docker takes it from the image the first time and forgets it at a restart.
    tmpfs: {
      "/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777",
      ...(options.mounts?.some(({ target }) => target === SOCKET_DIRECTORY)
        ? {}
        : { [SOCKET_DIRECTORY]: "rw,noexec,nosuid,nodev,size=1m,mode=1777" }),
      ...coveredVolumes(options.imageVolumes),
    },
    mounts: [
      { type: "volume", source: options.dataVolume, target: DATA_MOUNT },
      {
        type: "volume",
        source: options.configurationVolume,
        target: CONFIGURATION_DIRECTORY,
        readOnly: true,
      },
      ...(options.mounts ?? []),
    ],
    networksAdvanced: [
      { name: options.networkName, aliases: [NETWORK_ALIAS] },
      ...(options.accessNetworkName === undefined ? [] : [{ name: options.accessNetworkName }]),
    ],
    // Docker's resolver carries names out of every network that is not internal: here it asks the container itself, where nobody answers.
    ...(options.accessNetworkName === undefined ? {} : { dns: ["127.0.0.1"] }),
    ports:
      publish === undefined
        ? []
        : [{ internal: options.port, external: publish.port, ip: publish.address, protocol: "tcp" }],
    memory: limits.memoryMegabytes,
    memorySwap: limits.memoryMegabytes,
    cpus: coresText(limits.cpus),
    shmSize: limits.sharedMemoryMegabytes,
    // Restarts after a crash or with the engine; Docker itself waits longer after each failure.
    restart: "unless-stopped",
    stopSignal: "SIGINT",
    stopTimeout: graceSeconds,
    // Without it the provider kills the server at once.
    destroyGraceSeconds: graceSeconds,
    ...BOUNDED_LOG,
    healthcheck: {
      // Over TCP: during the first initialization the socket answers too early.
      tests: [
        "CMD",
        "pg_isready",
        "--quiet",
        "--host=127.0.0.1",
        `--port=${options.port}`,
        `--username=${options.probeRole}`,
      ],
      interval: "5s",
      timeout: "3s",
      retries: 2,
      startPeriod: "1m0s",
    },
    // Readiness is waited for by the roles, with shorter steps than the provider's.
    wait: false,
    mustRun: true,
    labels: options.labels,
  };
}

/**
 * What the image declares as a volume and the stack does not mount would be made a volume without a name at each start: a
 * small file system in memory is there instead.
 *
 * @param mounted Default: the data volume's place.
 */
export function coveredVolumes(
  imageVolumes: readonly string[],
  mounted: readonly string[] = [DATA_MOUNT],
): Readonly<Record<string, string>> {
  const open = imageVolumes.filter((path) => !mounted.includes(path));
  return Object.fromEntries(open.map((path) => [path, "rw,noexec,nosuid,nodev,size=1m,mode=755"]));
}

/**
 * A number of cores as the Docker provider reads it back; in any other form it would plan a replacement at each run.
 * From ten cores on it reads tenths only.
 *
 * Source: nanoInt64ToDecimalString in internal/provider/helpers.go of terraform-provider-docker
 */
export function coresText(cores: number): string {
  const text = cores.toFixed(cores < 10 ? 9 : 1);
  if (/^[1-9]+\.0+$/.test(text)) return cores.toFixed(1);
  return text.replace(/0+$/, "");
}
