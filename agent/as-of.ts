import type { AgentConfiguration } from "./configuration.ts";
import { Refusal } from "./failure.ts";
import { repositoryConfigurationFile } from "./physical/pgbackrest.ts";
import { STORAGE_REPOSITORY } from "./storage/access.ts";

/** Nothing of the backup folder is of then, and what is not there is passed over. */
const NO_FOLDER = "/nonexistent/as-of";

/**
 * The configuration by which the repository in the object storage is read as it was at a time, from the versions that its
 * bucket keeps; nothing that came later is seen, and nothing can be written.
 *
 * @param at As `parseTarget` has put it; absent: as everything is now.
 * @throws Refusal where there is no object storage.
 */
export function asOf(configuration: AgentConfiguration, at: string | undefined): AgentConfiguration {
  if (at === undefined) return configuration;
  const { localDirectory: _, ...physical } = configuration.physical;
  if (!physical.repositories.includes(STORAGE_REPOSITORY)) {
    throw new Refusal(
      "only an object storage keeps what was deleted: the backups of this stack are in none (pgstack:backupS3)",
    );
  }
  return {
    ...configuration,
    backupDirectory: NO_FOLDER,
    physical: {
      ...physical,
      repositories: [STORAGE_REPOSITORY],
      configurationFile: repositoryConfigurationFile(configuration, STORAGE_REPOSITORY),
      asOf: { time: at, present: physical.configurationFile },
    },
  };
}
