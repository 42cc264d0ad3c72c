import { AT_WORK_FILE, CONFIRMED_FOLDER } from "../agent/physical/archiver.ts";
import { SOCKET_DIRECTORY } from "./container-directories.ts";

/** Tenths of a second that the server waits for one confirmation before it says that there is none, and begins again. */
const WAIT_TENTHS = 100;
/** The same while it stops: what was not archived then is after its next start. */
const STOPPING_TENTHS = 20;

/**
 * What the server runs for each file of the write-ahead log that is complete: it waits until the agent, which has the
 * repositories and their keys, has archived it. An exit code above 125 ends PostgreSQL's archiver without further tries, so
 * that a server which stops does not wait for an agent that is not there.
 *
 * Source: shell_archive_file in src/backend/archive/shell_archive.c
 */
export const ARCHIVE_SCRIPT = `folder=${SOCKET_DIRECTORY}/${CONFIRMED_FOLDER}
mark=$(stat -c '%i %Y' "pg_wal/archive_status/$1.ready") || exit 1
tenths=0
while [ "$tenths" -lt ${WAIT_TENTHS} ]; do
  if { read -r told <"$folder/$1"; } 2>/dev/null && [ "$told" = "$mark" ]; then exit 0; fi
  if [ "$((tenths % 5))" -eq 0 ]; then
    case $(sed -n 8p postmaster.pid) in
      stopping*) if [ "$tenths" -ge ${STOPPING_TENTHS} ] || [ ! -e "$folder/${AT_WORK_FILE}" ]; then exit 255; fi ;;
    esac
  fi
  sleep 0.1
  tenths=$((tenths + 1))
done
echo "the agent has not archived $1 yet: it stays in pg_wal until then" >&2
exit 1
`;
