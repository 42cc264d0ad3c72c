/** Names of the files of backup in the configuration volume. */
export const BACKUP_FILES = {
  agent: "agent.json",
  pgbackrest: "pgbackrest.conf",
  key: "backup.key",
  storageAuthority: "storage-authority.pem",
  // pgBackRest looks for its own name in archive_command.
  archiveScript: "pgbackrest-archive.sh",
} as const;

/** Folder in the backup folder with the names of segments that an object storage has not taken yet. */
export const ARCHIVE_QUEUE = "archive-queue";

/** Name of pgBackRest's configuration that knows one of several repositories alone. */
export function repositoryConfiguration(repository: string): string {
  return `pgbackrest-${repository}.conf`;
}
