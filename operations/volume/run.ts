import type Docker from "dockerode";
import { HELPER_MOUNT, LABEL_HELPER } from "./helper.ts";

/** What a program is run on. */
export interface RunOnVolumeOptions {
  readonly volume: string;
  /** Image id or reference; it must be on the Docker host. */
  readonly image: string;
}

/**
 * Runs a program in a container that sees nothing but a volume, at {@link HELPER_MOUNT}: so it works on any engine.
 *
 * @returns Its exit code.
 */
export async function runOnVolume(
  docker: Docker,
  { volume, image }: RunOnVolumeOptions,
  command: readonly string[],
): Promise<number> {
  const container = await docker.createContainer({
    Image: image,
    User: "postgres",
    Entrypoint: [...command],
    Cmd: [],
    Labels: { [LABEL_HELPER]: "true" },
    HostConfig: {
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Mounts: [
        {
          Type: "volume",
          Source: volume,
          Target: HELPER_MOUNT,
          VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: "", Options: {} } },
        },
      ],
    },
  });
  try {
    await container.start();
    const { StatusCode }: { StatusCode: number } = await container.wait();
    return StatusCode;
  } finally {
    await container.remove({ force: true, v: true });
  }
}
