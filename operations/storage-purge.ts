import type Docker from "dockerode";
import type { StorageKeys } from "../agent/storage/access.ts";
import type { PurgeResult } from "../agent/storage/purge.ts";
import { type AgentCall, agentContainer, callAgent } from "./agent.ts";
import { dockerEngine, findContainer } from "./docker.ts";
import { executeInContainer } from "./execute.ts";
import { CONFIGURATION_DIRECTORY } from "./postgresql-conf.ts";
import { removeContainer, removeLeftOver } from "./restore/restorer.ts";
import { CONFINED, WORK_CONTAINER } from "./restore/work-container.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

export type { PurgeResult } from "../agent/storage/purge.ts";

/** In memory: gone with the container. */
const KEYS_FILE = "/tmp/keys.json";

/** Removes versions by keys that the stack does not have. */
export type Purge = (before?: string, call?: AgentCall) => Promise<PurgeResult>;

/**
 * Runs work that may look at, and remove, what was deleted in the object storage longer ago than it is kept. The keys are
 * in the memory of a container of their own, which has nothing else of the stack but its storage's address: neither the
 * agent nor the server sees them.
 *
 * @throws UserError when the stack has no agent, or no object storage.
 */
export async function withPurge<Value>(
  target: Target,
  { days, keys }: { readonly days: number; readonly keys: StorageKeys },
  work: (purge: Purge) => Promise<Value>,
): Promise<Value> {
  const docker = dockerEngine(target.dockerHost);
  const agent = await findContainer(docker, agentContainer(target.container));
  if (agent === undefined) {
    throw new UserError(`stack ${target.stack} has no agent: set pgstack:backup to true and run pulumi up`);
  }
  const name = `${target.container}-purge`;
  await removeLeftOver(docker, name, target);
  const container = await docker.createContainer(definition(name, agent));
  try {
    await container.start();
    const inside = { ...target, container: name };
    const { exitCode } = await executeInContainer(inside, {
      command: ["sh", "-c", 'umask 077; cat > "$1"', "keys", KEYS_FILE],
      input: JSON.stringify(keys),
    });
    if (exitCode !== 0) throw new Error(`the keys could not be handed over (exit code ${exitCode})`);
    return await work((before, call = {}) => {
      const parameters = { days, keysFile: KEYS_FILE, ...(before === undefined ? {} : { before }) };
      return callAgent<PurgeResult>(target, "purge-versions", parameters, { ...call, container: name });
    });
  } finally {
    await removeContainer(container);
  }
}

/** The agent's image, network and configuration, to read from. */
function definition(name: string, agent: Docker.ContainerInspectInfo): Docker.ContainerCreateOptions {
  const { HostConfig } = agent;
  const [network = "none"] = Object.keys(agent.NetworkSettings.Networks);
  const labels = Object.entries(agent.Config.Labels).filter(([label]) => label !== "pgstack.agent");
  return {
    ...WORK_CONTAINER,
    name,
    Image: agent.Image,
    Labels: Object.fromEntries(labels),
    HostConfig: {
      ...CONFINED,
      ReadonlyRootfs: true,
      NetworkMode: network,
      Tmpfs: HostConfig.Tmpfs ?? {},
      Memory: HostConfig.Memory ?? 0,
      MemorySwap: HostConfig.MemorySwap ?? 0,
      NanoCpus: HostConfig.NanoCpus ?? 0,
      Mounts: (HostConfig.Mounts ?? []).filter((mount) => mount.Target === CONFIGURATION_DIRECTORY),
    },
  };
}
