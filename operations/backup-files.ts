import type Docker from "dockerode";
import { findVolume } from "./docker.ts";
import { HELPER_MOUNT } from "./volume/helper.ts";
import { runOnVolume } from "./volume/run.ts";

/** Names of the files of backup in the agent's volume. */
export const BACKUP_FILES = {
  agent: "agent.json",
  pgbackrest: "pgbackrest.conf",
  key: "backup.key",
  storageAuthority: "storage-authority.pem",
} as const;

/** Folder in the backup folder with the names of segments that an object storage has not taken yet. */
export const ARCHIVE_QUEUE = "archive-queue";

/** Name of pgBackRest's configuration that knows one of several repositories alone. */
export function repositoryConfiguration(repository: string): string {
  return `pgbackrest-${repository}.conf`;
}

/** What earlier versions put into the server's configuration volume, below its root. */
const FORMER_FILES = [
  ...[BACKUP_FILES.agent, BACKUP_FILES.pgbackrest, BACKUP_FILES.key, BACKUP_FILES.storageAuthority],
  ...["local", "s3"].map(repositoryConfiguration),
  ...["pgbackrest-archive.sh", "agent"],
];

/**
 * Takes the agent's files and the keys of the backups out of a volume that the server has. A volume that is gone needs
 * nothing.
 *
 * @throws Error when they are still there.
 */
export async function removeFormerFiles(
  docker: Docker,
  { volume, image }: { readonly volume: string; readonly image: string },
): Promise<void> {
  if ((await findVolume(docker, volume)) === undefined) return;
  // Each was written under a hidden name first, and linked from there.
  const paths = FORMER_FILES.flatMap((name) => [name, `.${name}.new`]).map(
    (name) => `${HELPER_MOUNT}/${name}`,
  );
  // The volume's root is the engine's.
  const exitCode = await runOnVolume(docker, { volume, image, asRoot: true }, ["rm", "-rf", "--", ...paths]);
  if (exitCode !== 0)
    throw new Error(
      `the keys of the backups could not be removed from volume ${volume} (exit code ${exitCode})`,
    );
}
