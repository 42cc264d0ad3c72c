/** Where the data volume is mounted in the server's container. */
export const DATA_MOUNT = "/var/lib/postgresql/data";

/**
 * Folder of the data volume that holds the cluster. It is not the volume's root, so that a restored cluster can be built
 * beside the one in use and take its place by a rename.
 */
export const CLUSTER_FOLDER = "current";

/** The server's data directory (PGDATA) in a volume of the stack's own. */
export const DATA_DIRECTORY = `${DATA_MOUNT}/${CLUSTER_FOLDER}`;

/**
 * The data directory by a container's environment. A volume that was taken over may hold its cluster at its root.
 *
 * @param environment `Config.Env` of the container.
 */
export function dataDirectoryOf(environment: readonly string[] | null | undefined): string {
  const entry = environment?.find((one) => one.startsWith("PGDATA="));
  return entry === undefined ? DATA_DIRECTORY : entry.slice("PGDATA=".length);
}
