import type Docker from "dockerode";
import { dockerEngine } from "./docker.ts";
import { containersIn, joinOthers, noteOthers, reconnectOthers } from "./reconnect.ts";
import { LABEL_STACK } from "./target.ts";
import { UserError } from "./user-error.ts";

/** A network of a stack's own. */
export interface NetworkSpecification {
  readonly stack: string;
  readonly network: string;
  /** Nothing outside reaches it, and it reaches nothing outside. */
  readonly internal: boolean;
  /** Of one that is not internal: what is in it may begin connections to the outside. Default: false. */
  readonly outgoing?: boolean;
  /** Name of the network that served for it in earlier versions: what others have put there is in this one as well. */
  readonly formerly?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly dockerHost?: string;
}

/**
 * Makes the network, or takes the one that a killed run of the same stack left; Docker itself would make a second one of
 * the same name. Containers of others that were in the one that it replaces are in it again.
 *
 * @param tell Is told of each of those that Docker cannot put into it.
 * @returns The network's id.
 * @throws UserError when the name belongs to something else
 */
export async function ensureNetwork(
  specification: NetworkSpecification,
  tell: (line: string) => void = () => {},
): Promise<string> {
  const { stack, network, internal } = specification;
  const docker = dockerEngine(specification.dockerHost);
  const [found, ...twins] = await networksNamed(docker, network);
  for (const one of [found, ...twins]) {
    if (one !== undefined && one.Labels?.[LABEL_STACK] !== stack) {
      throw new UserError(
        `the network name ${network} is in use by something else on this Docker host: set pgstack:networkName to another name`,
      );
    }
  }
  const place = { stack, internal };
  for (const twin of twins) await removeNetworkById(docker, twin.Id, place);
  if (found !== undefined && isAs(found, specification)) {
    await reconnectOthers(docker, found.Id, place, tell);
    return found.Id;
  }
  if (found !== undefined) await removeNetworkById(docker, found.Id, place);
  const made = await docker.createNetwork({
    Name: network,
    Driver: "bridge",
    Internal: internal,
    // Answers to clients find their way back; what the server would begin itself gets no answer from outside.
    ...(internal || specification.outgoing === true ? {} : { Options: { [MASQUERADE]: "false" } }),
    Labels: { ...specification.labels },
  });
  await reconnectOthers(docker, made.id, place, tell);
  for (const former of await networksNamed(docker, specification.formerly ?? "")) {
    if (former.Labels?.[LABEL_STACK] === stack && isAs(former, specification))
      await joinOthers(docker, made.id, { id: former.Id, stack }, tell);
  }
  return made.id;
}

/**
 * Removes a stack's own network; one that is gone, or is somebody else's, is left alone. Containers of others that are in it are
 * noted, for {@link ensureNetwork} of the one that replaces it.
 */
export async function removeNetwork(
  options: Pick<NetworkSpecification, "stack" | "network" | "internal" | "dockerHost">,
): Promise<void> {
  const docker = dockerEngine(options.dockerHost);
  for (const network of await networksNamed(docker, options.network)) {
    if (network.Labels?.[LABEL_STACK] === options.stack) await removeNetworkById(docker, network.Id, options);
  }
}

/** Whether the stack's own network of this name is there, as it should be. */
export async function networkExists(options: Omit<NetworkSpecification, "labels">): Promise<boolean> {
  const found = await networksNamed(dockerEngine(options.dockerHost), options.network);
  return found.some((network) => network.Labels?.[LABEL_STACK] === options.stack && isAs(network, options));
}

/** Docker's own default is to masquerade: https://docs.docker.com/engine/network/drivers/bridge/ */
const MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade";

function isAs(
  { Internal, Options }: Docker.NetworkInspectInfo,
  { internal, outgoing = false }: Pick<NetworkSpecification, "internal" | "outgoing">,
): boolean {
  return Internal === internal && (internal || (Options?.[MASQUERADE] !== "false") === outgoing);
}

async function networksNamed(docker: Docker, name: string): Promise<Docker.NetworkInspectInfo[]> {
  if (name === "") return [];
  // The engine's filter matches parts of names as well.
  const candidates = await docker.listNetworks({ filters: { name: [name] } });
  return candidates.filter((candidate) => candidate.Name === name);
}

async function removeNetworkById(
  docker: Docker,
  id: string,
  place: Pick<NetworkSpecification, "stack" | "internal">,
): Promise<void> {
  const containers = await containersIn(docker, id);
  await noteOthers(docker, id, containers, place);
  const network = docker.getNetwork(id);
  for (const container of containers) await network.disconnect({ Container: container, Force: true });
  await network.remove();
}
