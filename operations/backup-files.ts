/** Names of the files of backup in the configuration volume. */
export const BACKUP_FILES = {
  agent: "agent.json",
  pgbackrest: "pgbackrest.conf",
  key: "backup.key",
  storageAuthority: "storage-authority.pem",
} as const;
