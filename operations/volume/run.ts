import type Docker from "dockerode";
import { HELPER_MOUNT, LABEL_HELPER } from "./helper.ts";

/** What a program is run on. */
export interface RunOnVolumeOptions {
  readonly volume: string;
  /** Image id or reference; it must be on the Docker host. */
  readonly image: string;
  /** Work also on what belongs to others than the server's user. Default: as that user. */
  readonly asRoot?: boolean;
}

/**
 * Runs a program in a container that sees nothing but a volume, at {@link HELPER_MOUNT}: so it works on any engine.
 *
 * @returns Its exit code.
 */
export async function runOnVolume(
  docker: Docker,
  { volume, image, asRoot = false }: RunOnVolumeOptions,
  command: readonly string[],
): Promise<number> {
  const container = await docker.createContainer({
    Image: image,
    User: asRoot ? "root" : "postgres",
    Entrypoint: [...command],
    Cmd: [],
    Labels: { [LABEL_HELPER]: "true" },
    HostConfig: {
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      ...(asRoot ? { CapAdd: ["DAC_OVERRIDE"] } : {}),
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
