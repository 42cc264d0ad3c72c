import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { STATE_DIRECTORY } from "../toolchain/directories.mjs";
import { isNotFound } from "./docker.ts";
import { LABEL_STACK } from "./target.ts";
import { writeWhole } from "./write-whole.ts";

/** A container that is not the stack's, such as an application's, and how it was in the stack's network. */
interface Endpoint {
  readonly container: string;
  readonly aliases: readonly string[];
}

/** Which of a stack's networks: a replaced one may have another name. */
type Kind = "internal" | "access";

interface Place {
  readonly stack: string;
  readonly internal: boolean;
}

/**
 * Notes which containers of others are in a network that is to be removed, durably: what replaces it is made by a later step,
 * perhaps of another run.
 *
 * @param containers Ids of all that are in it.
 */
export async function noteOthers(
  docker: Docker,
  id: string,
  containers: readonly string[],
  place: Place,
): Promise<void> {
  const others = await othersIn(docker, id, containers, place.stack);
  if (others.length === 0) return;
  const noted = await read(place.stack);
  const ids = new Set(others.map(({ container }) => container));
  const earlier = (noted[kindOf(place)] ?? []).filter(({ container }) => !ids.has(container));
  await write(place.stack, { ...noted, [kindOf(place)]: [...earlier, ...others] });
}

/**
 * Connects the containers of others that were in the network before it was replaced; those that are gone are left out. Docker
 * itself refuses one that was made with `--network` of a name that is gone: that is told, and fails nothing.
 */
export async function reconnectOthers(
  docker: Docker,
  id: string,
  place: Place,
  tell: (line: string) => void,
): Promise<void> {
  const { [kindOf(place)]: others = [], ...rest } = await read(place.stack);
  if (others.length === 0) return;
  await connectAll(docker, id, others, tell);
  await write(place.stack, rest);
}

/** Puts the containers of others that are in one network of the stack's into another one as well, under the names that they have. */
export async function joinOthers(
  docker: Docker,
  id: string,
  from: { readonly id: string; readonly stack: string },
  tell: (line: string) => void,
): Promise<void> {
  const others = await othersIn(docker, from.id, await containersIn(docker, from.id), from.stack);
  await connectAll(docker, id, others, tell);
}

async function connectAll(
  docker: Docker,
  id: string,
  others: readonly Endpoint[],
  tell: (line: string) => void,
): Promise<void> {
  const present = new Set(await containersIn(docker, id));
  for (const { container, aliases } of others) {
    const found = await inspect(docker, container);
    if (present.has(container) || found === undefined) continue;
    const endpoint = { Container: container, EndpointConfig: { Aliases: [...aliases] } };
    try {
      await docker.getNetwork(id).connect(endpoint);
    } catch (error) {
      if (!/network mode/.test(String(error))) throw error;
      const { NetworkMode } = found.HostConfig;
      tell(
        `container ${found.Name.slice(1)} is cut off: it was made with --network ${NetworkMode}, which is gone; make it anew with the present network`,
      );
    }
  }
}

/** Those of containers in a network that are not the stack's. */
async function othersIn(
  docker: Docker,
  id: string,
  containers: readonly string[],
  stack: string,
): Promise<Endpoint[]> {
  const others: Endpoint[] = [];
  for (const container of containers) {
    const found = await inspect(docker, container);
    if (found === undefined || found.Config.Labels[LABEL_STACK] === stack) continue;
    const endpoint = Object.values(found.NetworkSettings.Networks).find(({ NetworkID }) => NetworkID === id);
    others.push({ container, aliases: endpoint?.Aliases ?? [] });
  }
  return others;
}

/** Ids of all containers that are to be in a network, of the stopped ones too. */
export async function containersIn(docker: Docker, id: string): Promise<string[]> {
  const listed = await docker.listContainers({ all: true, filters: { network: [id] } });
  return listed.map(({ Id }) => Id);
}

async function inspect(docker: Docker, container: string): Promise<Docker.ContainerInspectInfo | undefined> {
  try {
    return await docker.getContainer(container).inspect();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function kindOf({ internal }: Place): Kind {
  return internal ? "internal" : "access";
}

async function read(stack: string): Promise<Partial<Record<Kind, readonly Endpoint[]>>> {
  try {
    return JSON.parse(await readFile(pathOf(stack), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

async function write(stack: string, noted: Partial<Record<Kind, readonly Endpoint[]>>): Promise<void> {
  if (Object.keys(noted).length === 0) await rm(pathOf(stack), { force: true });
  else await writeWhole(pathOf(stack), JSON.stringify(noted, undefined, 2));
}

function pathOf(stack: string): string {
  return join(STATE_DIRECTORY, "stacks", stack, "reconnect.json");
}
