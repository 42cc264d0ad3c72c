import type Docker from "dockerode";
import { agentContainer, callAgent } from "../agent.ts";
import { DATA_MOUNT } from "../data-directory.ts";
import { dockerEngine, findContainer, isNotFound, statusCode } from "../docker.ts";
import { LABEL_STACK, type Target } from "../target.ts";
import { UserError } from "../user-error.ts";
import { CONFINED, WORK_CONTAINER } from "./work-container.ts";

/** Name of the container that a restore works in. */
export function restorerContainer(serverContainer: string): string {
  return `${serverContainer}-restore`;
}

/**
 * Runs work with a container that has what the agent has, and may write to the data volume. It is removed in every case,
 * as is one that a killed run left: the caller holds the lock of restores.
 *
 * @param work Given the name of the container, to call the agent's program in.
 */
export async function withRestorer<Value>(
  target: Target,
  work: (container: string) => Promise<Value>,
): Promise<Value> {
  const docker = dockerEngine(target.dockerHost);
  const agent = await findContainer(docker, agentContainer(target.container));
  if (agent === undefined) {
    throw new UserError(`stack ${target.stack} has no agent: set pgstack:backup to true and run pulumi up`);
  }
  const name = restorerContainer(target.container);
  await removeLeftOver(docker, name, target);
  const container = await docker.createContainer(definition(name, agent));
  try {
    await container.start();
    return await work(name);
  } finally {
    await removeContainer(container);
  }
}

/** Runs work while no backup and no other restore does. */
export async function whileHeld<Value>(
  target: Target,
  purpose: string,
  work: () => Promise<Value>,
): Promise<Value> {
  const release = new AbortController();
  let tell: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const holding = callAgent(target, "hold", { purpose }, { signal: release.signal, onStep: tell });
  await Promise.race([held, holding]);
  try {
    return await work();
  } finally {
    release.abort();
    await holding.catch(() => {});
  }
}

/** As the agent's, with the data volume to write to. */
function definition(name: string, agent: Docker.ContainerInspectInfo): Docker.ContainerCreateOptions {
  const { HostConfig } = agent;
  // The agent may have been connected to its network after it was made: then the mode says nothing of it.
  const [network = "none"] = Object.keys(agent.NetworkSettings.Networks);
  return {
    ...WORK_CONTAINER,
    name,
    Image: agent.Image,
    Env: agent.Config.Env,
    Labels: withoutAgent(agent.Config.Labels),
    HostConfig: {
      ...CONFINED,
      ReadonlyRootfs: true,
      NetworkMode: network,
      Tmpfs: HostConfig.Tmpfs ?? {},
      Memory: HostConfig.Memory ?? 0,
      MemorySwap: HostConfig.MemorySwap ?? 0,
      NanoCpus: HostConfig.NanoCpus ?? 0,
      Mounts: (HostConfig.Mounts ?? []).map((mount) =>
        mount.Target === DATA_MOUNT ? { ...mount, ReadOnly: false } : mount,
      ),
    },
  };
}

function withoutAgent(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== "pgstack.agent"));
}

/**
 * Removes the container that a killed restore of this stack left.
 *
 * @throws UserError when the name is another's: a stack `shop-restore` has its server under it.
 */
export async function removeLeftOver(docker: Docker, name: string, { stack }: Target): Promise<void> {
  const found = await findContainer(docker, name);
  if (found === undefined) return;
  const owner = found.Config.Labels?.[LABEL_STACK];
  if (owner !== stack) {
    const whose = owner === undefined ? "was not made by this stack" : `belongs to stack ${owner}`;
    throw new UserError(
      `nothing was changed: container ${name}, whose name a restore of stack ${stack} needs, ${whose}: rename it by docker rename, or its stack's pgstack:containerName`,
    );
  }
  await removeContainer(docker.getContainer(found.Id));
}

/** Removes a container, whatever state it is in; one that is gone is no error. */
export async function removeContainer(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    // 409: its removal is under way already.
    if (!isNotFound(error) && statusCode(error) !== 409) throw error;
  }
}
