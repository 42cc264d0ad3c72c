import { glob, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type Docker from "dockerode";
import { dockerEngine } from "../../../operations/docker.ts";
import type { LiveStack } from "./live-stack.ts";
import type { Place } from "./places.ts";

/** What the engine runs in a container on request. */
export interface Execution {
  readonly privileged: boolean;
  readonly user: string | undefined;
  readonly arguments: readonly string[];
}

/** What the points about containers are judged by. */
export interface DockerFacts {
  readonly engine: {
    readonly SecurityOptions: readonly string[];
    readonly Swarm: { readonly LocalNodeState: string };
  };
  readonly container: Docker.ContainerInspectInfo;
  readonly networks: readonly Docker.NetworkInspectInfo[];
  readonly image: Docker.ImageInspectInfo;
  /** Id of the image that the program resolved. */
  readonly wantedImage: string;
  /** The Dockerfiles of the project. */
  readonly dockerfiles: readonly string[];
  /** Lines of /proc/1/status. */
  readonly server: Readonly<Record<string, string>>;
  /** Names of the programs that run in the container. */
  readonly programs: readonly string[];
  /** Ports that something in the container listens on. */
  readonly ports: readonly number[];
  /** All that was run in the container during the first `up`. */
  readonly executions: readonly Execution[];
}

/** Waits until Docker's own check has found the server well, then looks at everything. */
export async function dockerFacts(stack: LiveStack, seen: readonly Place[]): Promise<DockerFacts> {
  const docker = dockerEngine();
  const container = await healthy(stack.target.container);
  const status = await stack.inside("cat /proc/1/status");
  const sockets = await stack.inside("cat /proc/net/tcp /proc/net/tcp6");
  return {
    engine: await docker.info(),
    container,
    networks: await Promise.all(
      Object.keys(container.NetworkSettings.Networks).map((name) => docker.getNetwork(name).inspect()),
    ),
    image: await docker.getImage(container.Image).inspect(),
    wantedImage: stack.outputs.deployed.image.imageId,
    dockerfiles: await dockerfiles(),
    server: Object.fromEntries(status.split("\n").map((line) => line.split(/:\s*/, 2))),
    programs: [...new Set((await stack.inside("cat /proc/[0-9]*/comm 2>/dev/null")).trim().split("\n"))],
    ports: listening(sockets),
    executions: seen
      .filter(([name]) => name.startsWith("program "))
      .map(([, content]) => execution(String(content))),
  };
}

async function healthy(name: string): Promise<Docker.ContainerInspectInfo> {
  const deadline = Date.now() + 30_000;
  while (true) {
    const container = await dockerEngine().getContainer(name).inspect();
    if (container.State.Health?.Status === "healthy" || Date.now() > deadline) return container;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** State 0A is "listening"; Docker's own resolver of names listens on an address of 127.0.0.11. */
function listening(table: string): number[] {
  const ports = table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === "0A" && !local?.startsWith("0B00007F:"))
    .map(([, local]) => Number.parseInt(local?.split(":")[1] ?? "", 16));
  return [...new Set(ports)];
}

function execution(text: string): Execution {
  const { ProcessConfig } = JSON.parse(text) as {
    ProcessConfig: { privileged: boolean; user?: string; entrypoint: string; arguments: string[] };
  };
  const { privileged, user, entrypoint } = ProcessConfig;
  return { privileged, user, arguments: [entrypoint, ...(ProcessConfig.arguments ?? [])] };
}

async function dockerfiles(): Promise<string[]> {
  const cwd = fileURLToPath(new URL("../../../", import.meta.url));
  const found: string[] = [];
  for await (const path of glob("{images,examples,toolchain}/**/Dockerfile*", { cwd }))
    found.push(await readFile(`${cwd}/${path}`, "utf8"));
  return found;
}
