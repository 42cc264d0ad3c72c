import { posix } from "node:path";
import type Docker from "dockerode";
import { CLUSTER_FOLDER, DATA_DIRECTORY, DATA_MOUNT } from "../data-directory.ts";
import { lookIntoVolume } from "../volume-files.ts";
import type { ContainerFile } from "./archive.ts";

/** What {@link lookIntoCluster} found. */
export interface ClusterView {
  /** Nothing at all is in the volume. */
  readonly empty: boolean;
  /** Where a server's container has the cluster. */
  readonly dataDirectory: string;
  /** The files that were asked for, by their names; those that do not exist are left out. */
  readonly files: ReadonlyMap<string, ContainerFile>;
}

/**
 * Looks at files of the cluster in a data volume, wherever the cluster is: in the folder that the stack's own volumes
 * have for it, or at the root, as in a volume that was taken over. The volume must exist.
 */
export async function lookIntoCluster(
  docker: Docker,
  options: { readonly volume: string; readonly image: string; readonly paths: readonly string[] },
): Promise<ClusterView> {
  const atRoot = "PG_VERSION";
  const paths = [atRoot, ...options.paths.map((path) => posix.join(CLUSTER_FOLDER, path)), ...options.paths];
  const { empty, files } = await lookIntoVolume(docker, { ...options, paths: [...new Set(paths)] });
  const folder = files.has(atRoot) ? "" : CLUSTER_FOLDER;
  const found = new Map<string, ContainerFile>();
  for (const path of options.paths) {
    const file = files.get(posix.join(folder, path));
    if (file !== undefined) found.set(path, file);
  }
  return { empty, dataDirectory: folder === "" ? DATA_MOUNT : DATA_DIRECTORY, files: found };
}
