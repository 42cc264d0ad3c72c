import { statfs } from "node:fs/promises";
import type Docker from "dockerode";
import { DATA_DIRECTORY, dataDirectoryOf } from "./data-directory.ts";
import { findContainer, findNetwork, findVolume, requireEngine } from "./docker.ts";
import { PROOF_FILE, parseProof } from "./first-provision.ts";
import { type ResolvedImage, type ResolveImageOptions, resolveImage } from "./image.ts";
import {
  imageProblem,
  isUnproven,
  ownershipProblem,
  portProblem,
  spaceProblem,
  type VolumeState,
  volumeProblem,
} from "./preflight/decide.ts";
import { portHolder } from "./preflight/ports.ts";
import { LABEL_STACK } from "./target.ts";
import { UserError } from "./user-error.ts";
import { lookIntoCluster } from "./volume/cluster.ts";

/** What a stack is going to make and use. */
export interface PreflightOptions {
  readonly stack: string;
  /** Reference of the server's image. */
  readonly image: string;
  /** Major version of PostgreSQL that the stack is for. */
  readonly major: number;
  /** Name of the server's container. */
  readonly container: string;
  readonly dataVolume: string;
  /** Use a data volume that the stack did not make. It is never removed then. Default: false. */
  readonly adoptDataVolume?: boolean;
  /** Names of the stack's networks. */
  readonly networks: readonly string[];
  /** What else the stack makes, each with the setting that its name comes from. */
  readonly derived?: readonly DerivedName[];
  /** Port of the host to publish; absent: none. */
  readonly publish?: { readonly address: string; readonly port: number };
  /** System identifier of the cluster that the stack has had; absent on a first run. */
  readonly systemIdentifier?: string;
  /** Bytes that must be free where a local engine keeps its volumes. Default: 512 MB. */
  readonly minimumFreeBytes?: number;
  readonly resolve?: ResolveImageOptions;
}

/** A name in Docker that comes from a setting. */
export interface DerivedName {
  readonly kind: "container" | "volume";
  readonly name: string;
  readonly setting: string;
}

/** What the look-around found; everything in it is fit for use. */
export interface PreflightResult {
  /** Version of the Docker engine. */
  readonly engineVersion: string;
  readonly image: ResolvedImage;
  /**
   * What the data volume is: not there yet, there without data, with what a first try of this stack left that never
   * became healthy (perhaps half made), or with a cluster of the right version.
   */
  readonly dataVolume: "absent" | "empty" | "unproven" | "cluster";
  /** Where the server's container has the cluster. */
  readonly dataDirectory: string;
  /** Free bytes where the engine keeps its volumes; absent on an engine elsewhere. */
  readonly freeBytes?: number;
}

const MINIMUM_FREE_BYTES = 512 * 1_024 * 1_024;

/**
 * Looks, before anything is made, whether everything that the stack needs is there and free: engine, port, names,
 * room, image, data volume. Makes nothing but the image.
 *
 * @throws UserError with the first thing that is in the way and the setting that would mend it.
 */
export async function preflight(docker: Docker, options: PreflightOptions): Promise<PreflightResult> {
  const { version } = await requireEngine(docker);
  const local = isLocal(docker);
  const [names, port, space] = await Promise.allSettled([
    checkNames(docker, options),
    checkPort(docker, options, local),
    local ? checkSpace(docker, options.minimumFreeBytes ?? MINIMUM_FREE_BYTES) : undefined,
  ]);
  // Side by side for speed, but always the same problem first.
  const container = settled(names);
  settled(port);
  const freeBytes = settled(space);
  const image = await resolveImage(docker, options.image, options.resolve);
  const { major } = options;
  refuse(imageProblem(options.image, image.major, major));
  if (usesVolume(container, options)) {
    // The stack's own server runs on the volume: no need to look inside from another container.
    const dataDirectory = dataDirectoryOf(container?.Config.Env);
    return result(version, image, { dataVolume: "cluster", dataDirectory }, freeBytes);
  }
  const volume = await volumeState(docker, options.dataVolume, image.imageId);
  const { stack, systemIdentifier } = options;
  refuse(
    volumeProblem(volume, {
      stack,
      major,
      adoptDataVolume: options.adoptDataVolume === true,
      ...(systemIdentifier === undefined ? {} : { systemIdentifier }),
    }),
  );
  const found =
    volume === undefined
      ? ({ dataVolume: "absent", dataDirectory: DATA_DIRECTORY } as const)
      : { dataVolume: kindOf(volume, stack), dataDirectory: volume.dataDirectory };
  return result(version, image, found, freeBytes);
}

function result(
  engineVersion: string,
  image: ResolvedImage,
  volume: Pick<PreflightResult, "dataVolume" | "dataDirectory">,
  freeBytes: number | undefined,
): PreflightResult {
  return { engineVersion, image, ...volume, ...(freeBytes === undefined ? {} : { freeBytes }) };
}

function usesVolume(
  container: Docker.ContainerInspectInfo | undefined,
  { dataVolume, systemIdentifier }: PreflightOptions,
): boolean {
  if (container?.State.Running !== true || systemIdentifier !== undefined) return false;
  return (
    container.State.Health?.Status === "healthy" && container.Mounts.some(({ Name }) => Name === dataVolume)
  );
}

function settled<Value>(outcome: PromiseSettledResult<Value>): Value {
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}

/** True when the engine is reached by a socket file: it then is on this machine, and so are its ports and disks. */
export function isLocal(docker: Docker): boolean {
  const { socketPath } = docker.modem as { socketPath?: string };
  return socketPath !== undefined && socketPath !== "";
}

/** What a data volume is; undefined when it does not exist. */
export async function volumeState(
  docker: Docker,
  name: string,
  image: string,
): Promise<(VolumeState & Pick<PreflightResult, "dataDirectory">) | undefined> {
  const volume = await findVolume(docker, name);
  if (volume === undefined) return undefined;
  const { empty, files, dataDirectory } = await lookIntoCluster(docker, {
    volume: name,
    image,
    paths: ["PG_VERSION", PROOF_FILE],
  });
  const stack = volume.Labels?.[LABEL_STACK];
  const version = files.get("PG_VERSION")?.content.toString("utf8").trim();
  const proof = files.get(PROOF_FILE)?.content.toString("utf8");
  return {
    name,
    empty,
    dataDirectory,
    ...(stack === undefined ? {} : { stack }),
    ...(version === undefined ? {} : { postgresMajor: version }),
    ...(proof === undefined ? {} : { proof: parseProof(proof) }),
  };
}

function kindOf(volume: VolumeState, stack: string): "empty" | "unproven" | "cluster" {
  if (volume.empty) return "empty";
  return isUnproven(volume, stack) ? "unproven" : "cluster";
}

/** @returns The container of the stack's name, when it is the stack's own. */
async function checkNames(
  docker: Docker,
  options: PreflightOptions,
): Promise<Docker.ContainerInspectInfo | undefined> {
  const container = await findContainer(docker, options.container);
  const labels = container === undefined ? undefined : (container.Config.Labels ?? {});
  refuse(
    ownershipProblem("container", options.container, "containerName", options.stack, labels, LABEL_STACK),
  );
  for (const name of options.networks) {
    const network = await findNetwork(docker, name);
    const networkLabels = network === undefined ? undefined : (network.Labels ?? {});
    refuse(ownershipProblem("network", name, "networkName", options.stack, networkLabels, LABEL_STACK));
  }
  for (const { kind, name, setting } of options.derived ?? []) {
    const found = await labelsOf(docker, kind, name);
    // A volume without the label may have been made by hand, for its driver; one with it holds another stack's files.
    if (kind === "volume" && found?.[LABEL_STACK] === undefined) continue;
    refuse(ownershipProblem(kind, name, setting, options.stack, found, LABEL_STACK));
  }
  return container;
}

async function labelsOf(
  docker: Docker,
  kind: DerivedName["kind"],
  name: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  if (kind === "volume") return (await findVolume(docker, name))?.Labels ?? undefined;
  const container = await findContainer(docker, name);
  return container === undefined ? undefined : (container.Config.Labels ?? {});
}

async function checkPort(docker: Docker, options: PreflightOptions, local: boolean): Promise<void> {
  const { publish, container } = options;
  if (publish === undefined) return;
  const holder = await portHolder(docker, { ...publish, container }, local);
  if (holder !== undefined) throw new UserError(portProblem(publish.address, publish.port, holder));
}

async function checkSpace(docker: Docker, needed: number): Promise<number | undefined> {
  const info: { DockerRootDir?: string } = await docker.info();
  const path = info.DockerRootDir;
  if (path === undefined) return undefined;
  try {
    const { bavail, bsize } = await statfs(path);
    refuse(spaceProblem(bavail * bsize, needed, path));
    return bavail * bsize;
  } catch (error) {
    // A rootless engine, or one in a virtual machine, keeps its files where this process does not see them.
    if (error instanceof UserError) throw error;
    return undefined;
  }
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new UserError(problem);
}
