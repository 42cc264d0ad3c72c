import type Docker from "dockerode";
import { UserError } from "../user-error.ts";
import { lookIntoVolume } from "../volume-files.ts";

/**
 * Has the engine mount a volume in memory once.
 *
 * @throws UserError where the Docker host's kernel takes the mount's options for none: one without transparent huge pages.
 */
export async function requireMountable(
  docker: Docker,
  { volume, imageId }: { readonly volume: string; readonly imageId: string },
): Promise<void> {
  try {
    await lookIntoVolume(docker, { volume, image: imageId, paths: [] });
  } catch (error) {
    if (!(error instanceof Error) || !/failed to mount .*invalid argument/.test(error.message)) throw error;
    throw new UserError(
      "pgstack:dataInMemoryHugePages is true, and the kernel of the Docker host has no huge pages for files in memory: set it to false",
      { cause: error },
    );
  }
}
