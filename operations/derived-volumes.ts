/** The volume that has a server's socket, by the name of its container. */
export function socketVolume(container: string): string {
  return `${container}-socket`;
}

/** The volume with room for throw-away clusters. */
export function scratchVolume(container: string): string {
  return `${container}-scratch`;
}

/** The volume with the agent's code and configuration, and the keys of the backups. */
export function agentVolume(container: string): string {
  return `${container}-agent`;
}
