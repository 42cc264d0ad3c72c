import { dockerEngine } from "./docker.ts";
import { LABEL_STACK } from "./target.ts";

/** What a stack has on the Docker host, by name. */
export interface StackThings {
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
  readonly networks: readonly string[];
}

/** What bears a stack's label on the Docker host. */
export async function listThings(stack: string): Promise<StackThings> {
  const docker = dockerEngine();
  const filters = filtersOf(stack);
  const containers = await docker.listContainers({ all: true, filters });
  const { Volumes } = await docker.listVolumes({ filters });
  const networks = await docker.listNetworks({ filters });
  return {
    containers: containers.map(({ Names }) => (Names[0] ?? "").slice(1)).sort(),
    volumes: Volumes.map(({ Name }) => Name).sort(),
    networks: networks.map(({ Name }) => Name).sort(),
  };
}

/** Removes a throw-away stack's containers, whatever Pulumi knows of them. */
export async function removeContainers(stack: string): Promise<void> {
  const docker = dockerEngine();
  for (const { Id } of await docker.listContainers({ all: true, filters: filtersOf(stack) })) {
    await docker.getContainer(Id).remove({ force: true, v: true });
  }
}

/** Removes a throw-away stack's volumes and networks; its containers must be gone. */
export async function removeStorage(stack: string): Promise<void> {
  const docker = dockerEngine();
  const filters = filtersOf(stack);
  for (const { Name } of (await docker.listVolumes({ filters })).Volumes) {
    await docker.getVolume(Name).remove();
  }
  for (const { Id } of await docker.listNetworks({ filters })) {
    await docker.getNetwork(Id).remove();
  }
}

function filtersOf(stack: string): { label: string[] } {
  return { label: [`${LABEL_STACK}=${stack}`] };
}
