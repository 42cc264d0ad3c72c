import { ARCHIVE_QUEUE, BACKUP_FILES, repositoryConfiguration } from "./backup-files.ts";
import { BACKUP_DIRECTORY } from "./container-directories.ts";
import { CONFIGURATION_DIRECTORY, STANZA } from "./postgresql-conf.ts";

/** Seconds that an object storage may take for one segment before it counts as away. */
const PATIENCE_SECONDS = 20;

/**
 * What the server runs for each segment of the write-ahead log that is to be archived.
 *
 * With a local repository and an object storage pgBackRest writes to neither when one of them is away, and the server
 * hands out nothing but the same segment until it is taken. So the local one comes first and must succeed. What the
 * storage then does not take is noted by name, and the agent hands it over later, out of the local repository.
 */
export function renderArchiveScript(repositories: readonly string[]): string {
  const push = (file: string): string =>
    `pgbackrest --config=${CONFIGURATION_DIRECTORY}/${file} --stanza=${STANZA} archive-push "$1"`;
  if (repositories.length < 2) return `exec ${push(BACKUP_FILES.pgbackrest)}\n`;
  const queue = `${BACKUP_DIRECTORY}/${ARCHIVE_QUEUE}`;
  return `${push(repositoryConfiguration("local"))} || exit 1
# What waits already tells that the storage is away: trying again is the agent's.
if [ -z "$(ls "${queue}" 2>/dev/null)" ]; then
  timeout ${PATIENCE_SECONDS} ${push(repositoryConfiguration("s3"))} && exit 0
fi
mkdir -p "${queue}" && : >"${queue}/\${1##*/}" && sync "${queue}"
`;
}
