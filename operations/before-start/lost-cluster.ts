import { CONFIGURATION_DIRECTORY } from "../postgresql-conf.ts";

/** Environment variable with the name of the data volume. */
export const DATA_VOLUME_VARIABLE = "PGSTACK_DATA_VOLUME";
/** Folder of the configuration volume with a file for each data volume that has had the stack's database, by its name. */
export const KNOWN_FOLDER = "clusters";
/** That file in the server's container, for a shell. */
export const KNOWN_FILE = `${CONFIGURATION_DIRECTORY}/${KNOWN_FOLDER}/$${DATA_VOLUME_VARIABLE}`;

/** What the server is held for. */
export const EMPTIED =
  "the data volume is empty, and the stack has had its database there: pgstack restore --latest brings it back from the backups; the server goes on by itself when the volume's own data is back";

/**
 * Holds the server back on a data volume that has lost the stack's database: a new and empty one must not take its place
 * unasked. What is in memory is lost with each stop, and made anew. Expects `HOLD`, and `$root`, the volume's root.
 */
export const REFUSE_EMPTIED = `known="${KNOWN_FILE}"
if [ -n "$${DATA_VOLUME_VARIABLE}" ] && [ "$(stat -f -c %T "$root")" != tmpfs ]; then
  while [ ! -s "$PGDATA/PG_VERSION" ] && [ -e "$known" ]; do
    hold "${EMPTIED}"
  done
  let_go
fi`;
