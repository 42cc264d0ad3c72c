import { dockerEngine } from "../../operations/docker.ts";
import { TEST_IMAGE } from "./image.ts";

/**
 * Sends a signal to the first process of a container from the Docker host, as the kernel or a fellow administrator
 * would: Docker takes no part in it. From inside, the kernel keeps SIGKILL from it.
 */
export async function signalFromHost(container: string, signal: "KILL" | "STOP" | "CONT"): Promise<void> {
  const docker = dockerEngine();
  const { State } = await docker.getContainer(container).inspect();
  const helper = await docker.createContainer({
    Image: TEST_IMAGE,
    User: "root",
    Entrypoint: ["bash", "-c", `kill -${signal} ${State.Pid}`],
    Cmd: [],
    HostConfig: { PidMode: "host", NetworkMode: "none" },
  });
  try {
    await helper.start();
    const { StatusCode } = await helper.wait();
    if (StatusCode !== 0) throw new Error(`SIG${signal} could not be sent to ${container}`);
  } finally {
    await helper.remove({ force: true, v: true });
  }
}
