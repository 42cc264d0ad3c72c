import type Docker from "dockerode";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import type { Target } from "../../operations/target.ts";
import { TEST_IMAGE } from "./image.ts";

const docker = dockerEngine();

/** A volume of a few megabytes. What is in memory lasts as long as a container has it: that is returned, at work. */
export async function smallVolume(name: string, size: string): Promise<Docker.Container> {
  const { uid, gid } = await postgresIds();
  await docker.createVolume({
    Name: name,
    Driver: "local",
    DriverOpts: { type: "tmpfs", device: "tmpfs", o: `size=${size},uid=${uid},gid=${gid},mode=0700` },
  });
  const holder = await docker.createContainer({
    Image: TEST_IMAGE,
    User: "postgres",
    Entrypoint: ["sleep", "3600"],
    HostConfig: { NetworkMode: "none", Mounts: [{ Type: "volume", Source: name, Target: "/data" }] },
  });
  await holder.start();
  return holder;
}

async function postgresIds(): Promise<{ uid: string; gid: string }> {
  const container = await docker.createContainer({
    Image: TEST_IMAGE,
    User: "postgres",
    Entrypoint: ["sleep", "60"],
    HostConfig: { NetworkMode: "none" },
  });
  try {
    await container.start();
    const [uid = "", gid = ""] = (await inside(container, "id -u; id -g")).trim().split("\n");
    return { uid, gid };
  } finally {
    await container.remove({ force: true, v: true });
  }
}

/** What a script prints in a container. */
export async function inside(container: Docker.Container, script: string): Promise<string> {
  const target: Target = { stack: "", container: container.id, port: 5432, database: "" };
  return (await executeInContainer(target, { command: ["bash", "-c", script] })).stdout;
}
