import type Docker from "dockerode";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import type { Target } from "../../operations/target.ts";
import { TEST_IMAGE } from "./image.ts";

/**
 * A volume of a few megabytes. What is in memory lasts as long as a container has it: that is returned, at work, with the volume
 * at /data.
 *
 * @param options.seconds After which the container ends by itself, for a test that was killed. Default: 3,600.
 * @param options.labels The volume's. Default: none.
 */
export async function smallVolume(
  name: string,
  size: string,
  {
    seconds = 3_600,
    labels = {},
  }: { readonly seconds?: number; readonly labels?: Readonly<Record<string, string>> } = {},
): Promise<Docker.Container> {
  const docker = dockerEngine();
  const { uid, gid } = await postgresIds(docker);
  await docker.createVolume({
    Name: name,
    Driver: "local",
    Labels: { ...labels },
    DriverOpts: { type: "tmpfs", device: "tmpfs", o: `size=${size},uid=${uid},gid=${gid},mode=0700` },
  });
  const holder = await docker.createContainer({
    Image: TEST_IMAGE,
    User: "postgres",
    Entrypoint: ["sleep", String(seconds)],
    HostConfig: { NetworkMode: "none", Mounts: [{ Type: "volume", Source: name, Target: "/data" }] },
  });
  await holder.start();
  return holder;
}

/** What a script in a container prints. */
export async function inside(container: Docker.Container, script: string): Promise<string> {
  const target: Target = { stack: "", container: container.id, port: 5432, database: "" };
  return (await executeInContainer(target, { command: ["bash", "-c", script] })).stdout;
}

async function postgresIds(docker: Docker): Promise<{ uid: string; gid: string }> {
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
