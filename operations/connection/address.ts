import { connect, isIP } from "node:net";
import type Docker from "dockerode";
import { dockerEngine, endpointHostname, findContainer, isLocalEndpoint } from "../docker.ts";
import { ContainerNotRunning } from "../execute.ts";
import type { Target } from "../target.ts";

/** The ways to a server: its published port, its own address on this machine's bridge, a stream through the engine. */
export type Route = "published" | "bridge" | "tunnel";

/** Where a server is reached. For a tunnel, host and port are those inside the container. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly via: Route;
}

/** An address of a bridge on this machine answers within this time or is not on this machine. */
const PROBE_MILLISECONDS = 500;
const WILDCARDS: readonly string[] = ["", "0.0.0.0", "::"];
const reachable = new Set<string>();

/**
 * How this machine reaches the server: by its address on the bridge when the engine is local, else by the published
 * port, else by a tunnel, which works wherever the engine itself is reached.
 *
 * @param route Only this way. Default: the first that works.
 * @throws ContainerNotRunning, or Error when the wanted route does not lead to the server.
 */
export async function serverAddress(target: Target, route?: Route): Promise<ServerAddress> {
  const container = await findContainer(dockerEngine(target.dockerHost), target.container);
  if (container === undefined) throw new ContainerNotRunning(`container ${target.container} does not exist`);
  if (!container.State.Running || container.State.Restarting || container.State.Paused) {
    throw new ContainerNotRunning(`container ${target.container} is not running (${container.State.Status})`);
  }
  for (const address of candidates(target, container)) {
    if (route !== undefined && address.via !== route) continue;
    if (address.via === "tunnel" || (await answers(container.Id, address))) return address;
  }
  throw new Error(`container ${target.container} can't be reached by its ${route} address from here`);
}

function candidates(target: Target, container: Docker.ContainerInspectInfo): ServerAddress[] {
  const tunnel: ServerAddress = { host: "127.0.0.1", port: target.port, via: "tunnel" };
  const published = publishedAddresses(target, container);
  return isLocalEndpoint(target.dockerHost)
    ? [...bridgeAddresses(target, container), ...published, tunnel]
    : [...published, tunnel];
}

function bridgeAddresses(target: Target, container: Docker.ContainerInspectInfo): ServerAddress[] {
  return Object.values(container.NetworkSettings.Networks)
    .filter((network) => network.IPAddress !== "")
    .map((network) => ({ host: network.IPAddress, port: target.port, via: "bridge" }));
}

function publishedAddresses(target: Target, container: Docker.ContainerInspectInfo): ServerAddress[] {
  const remote = endpointHostname(target.dockerHost);
  const bindings = container.NetworkSettings.Ports[`${target.port}/tcp`] ?? [];
  return bindings.flatMap(({ HostIp, HostPort }): ServerAddress[] => {
    const port = Number(HostPort);
    if (WILDCARDS.includes(HostIp)) return [{ host: remote ?? "127.0.0.1", port, via: "published" }];
    // A remote host's own loopback address leads nowhere from here.
    if (remote !== undefined && (HostIp.startsWith("127.") || HostIp === "::1")) return [];
    return [{ host: HostIp, port, via: "published" }];
  });
}

/** True when something answers there, a refusal included. Remembered, since each try costs the server a process. */
async function answers(containerId: string, { host, port }: ServerAddress): Promise<boolean> {
  const key = `${containerId} ${host} ${port}`;
  if (reachable.has(key)) return true;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port, timeout: PROBE_MILLISECONDS });
  socket.once("connect", () => resolve(true));
  socket.once("timeout", () => resolve(false));
  socket.once("error", (error) =>
    resolve("code" in error && error.code === "ECONNREFUSED" && isIP(host) !== 0),
  );
  const found = await promise;
  socket.destroy();
  if (found) reachable.add(key);
  return found;
}
