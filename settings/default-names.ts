/** A container's name is also its name in DNS. */
export const LONGEST_DOCKER_NAME = 63;

/** How a stack's things are called in Docker where the settings do not say. */
export function defaultNames(stack: string, dataInMemory: boolean) {
  const prefix = `pgstack-${stack}`;
  return {
    containerName: prefix,
    networkName: prefix,
    dataVolumeName: `${prefix}-${dataInMemory ? "memory" : "data"}`,
    configurationVolumeName: `${prefix}-configuration`,
    backupVolumeName: `${prefix}-backups`,
  };
}
