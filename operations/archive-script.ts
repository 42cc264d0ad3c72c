import { CONFIRMED_PREFIX } from "../agent/physical/archiver.ts";
import { SEGMENT_BYTES } from "../agent/physical/segments.ts";
import { SOCKET_DIRECTORY } from "./container-directories.ts";
import { DEFAULT_PARAMETERS, type ParameterValue } from "./postgresql-conf/defaults.ts";
import { MEMORY_UNITS } from "./postgresql-conf/memory-units.ts";

/** The parameter that says how much of the log the server keeps for whoever is away. */
const LIMIT = "max_slot_wal_keep_size";

/**
 * What the server runs for each file of the write-ahead log that is complete: it waits until the agent, which has the
 * repositories and their keys, has archived it. When that is away for so long that more waits than the server keeps for it,
 * the oldest is given up, and so the disk does not fill; the agent then owes a full backup. A server that stops lets in nobody
 * who could tell it anything: an exit code above 125 ends PostgreSQL's archiver without further tries.
 *
 * Source: shell_archive_file in src/backend/archive/shell_archive.c
 */
export function renderArchiveScript(parameters: Readonly<Record<string, ParameterValue>>): string {
  const most = mostWaiting(parameters);
  const bound =
    most === undefined
      ? ""
      : `set -- pg_wal/archive_status/*.ready
if [ "$#" -gt ${2 * most} ]; then tenths=1; elif [ "$#" -gt ${most} ]; then tenths=10; fi
`;
  const giveUp =
    most === undefined
      ? ""
      : `if [ "$#" -gt ${most} ]; then
  echo "$name is given up: the agent has not archived it, and more waits than ${LIMIT} lets the server keep" >&2
  exit 0
fi
`;
  return `name=$1 tenths=100
told=${SOCKET_DIRECTORY}/${CONFIRMED_PREFIX}$name
mark=$(stat -c '%i %Y' "pg_wal/archive_status/$name.ready") || exit 1
${bound}waited=0
while [ "$waited" -lt "$tenths" ]; do
  if { read -r line <"$told"; } 2>/dev/null && [ "$line" = "$mark" ]; then
    rm -f "$told"
    exit 0
  fi
  if [ "$((waited % 5))" -eq 0 ]; then
    case $(sed -n 8p postmaster.pid) in
      stopping*)
        echo "the agent archives $name after the next start" >&2
        exit 255 ;;
    esac
  fi
  sleep 0.1
  waited=$((waited + 1))
done
${giveUp}echo "the agent has not archived $name yet: it stays in pg_wal until then" >&2
exit 1
`;
}

/** Segments that may wait; undefined: without bound. */
function mostWaiting(parameters: Readonly<Record<string, ParameterValue>>): number | undefined {
  const byDefault = DEFAULT_PARAMETERS.flatMap(({ parameters: group }) => group).find(
    ({ name }) => name === LIMIT,
  )?.value;
  const [, amount = "-1", unit = "MB"] =
    /^\s*(-?[\d.]+)\s*(\w*)/.exec(String(parameters[LIMIT] ?? byDefault)) ?? [];
  const bytes = Number(amount) * (MEMORY_UNITS[unit === "" ? "MB" : unit] ?? MEMORY_UNITS["MB"] ?? 1);
  return bytes < 0 ? undefined : Math.max(1, Math.floor(bytes / SEGMENT_BYTES));
}
