/** Where the backups are mounted in the agent's container. */
export const BACKUP_DIRECTORY = "/backups";
/** Where the agent restores to, for a while. */
export const SCRATCH_DIRECTORY = "/scratch";
/** The server's socket, in a volume that the agent has too. */
export const SOCKET_DIRECTORY = "/var/run/postgresql";
