import type Docker from "dockerode";
import { dockerEngine, findContainer, isNotFound } from "./docker.ts";

/** A container and the networks that it is in, and in no others. */
export interface ContainerNetworks {
  readonly container: string;
  /** Ids or names. */
  readonly networks: readonly string[];
  /** Its names there beside the container's own. */
  readonly aliases: readonly string[];
  readonly dockerHost?: string;
}

/** One difference, and what removes it. */
export interface NetworkChange {
  readonly description: string;
  readonly connect: boolean;
  readonly network: string;
}

/** How the container's networks differ from what they must be; nothing where there is no such container. */
export async function planContainerNetworks(wanted: ContainerNetworks): Promise<NetworkChange[]> {
  const { container, networks } = wanted;
  const docker = dockerEngine(wanted.dockerHost);
  const found = await findContainer(docker, container);
  if (found === undefined) return [];
  const live = Object.entries(found.NetworkSettings.Networks).map(([name, { NetworkID }]) => ({
    name,
    id: NetworkID,
  }));
  const missing = networks.filter(
    (network) => !live.some(({ name, id }) => network === name || network === id),
  );
  const foreign = live.filter(({ name, id }) => !networks.includes(name) && !networks.includes(id));
  return [
    ...(await Promise.all(
      missing.map(async (network) => ({
        description: `container ${container} is not in its network ${await nameOf(docker, network)}`,
        connect: true,
        network,
      })),
    )),
    ...foreign.map(({ name, id }) => ({
      description: `container ${container} is in network ${name}, which is not its own`,
      connect: false,
      network: id || name,
    })),
  ];
}

/** Connects the container to what it is missing from, then takes it out of what is not its own. Sessions in its own networks stay. */
export async function applyContainerNetworks(
  wanted: ContainerNetworks,
  changes: readonly NetworkChange[],
): Promise<void> {
  const docker = dockerEngine(wanted.dockerHost);
  for (const { connect, network } of changes) {
    if (connect) {
      await docker.getNetwork(network).connect({
        Container: wanted.container,
        EndpointConfig: { Aliases: [...wanted.aliases] },
      });
      continue;
    }
    try {
      await docker.getNetwork(network).disconnect({ Container: wanted.container, Force: true });
    } catch (error) {
      // Somebody was faster.
      if (!isNotFound(error)) throw error;
    }
  }
}

async function nameOf(docker: Docker, network: string): Promise<string> {
  try {
    const { Name } = await docker.getNetwork(network).inspect();
    return Name;
  } catch (error) {
    if (isNotFound(error)) return network;
    throw error;
  }
}
