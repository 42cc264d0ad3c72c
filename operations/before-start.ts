import { HOLD } from "./before-start/hold.ts";
import { REFUSE_EMPTIED } from "./before-start/lost-cluster.ts";
import { MAKE_ROOM } from "./before-start/room.ts";
import { CLUSTER_FOLDER } from "./data-directory.ts";

/** Environment variable with the kilobytes of the ballast file; 0: none. */
export const BALLAST_VARIABLE = "PGSTACK_BALLAST";

/**
 * What comes before the image's own start, as the container's entry point; the image's is its last word.
 *
 * Two servers on one volume would destroy it, and PostgreSQL's own lock file does not tell them apart: in their
 * containers both are process 1, which each takes for a file that it left itself. A lock on the volume's root does, and ends
 * with whatever ended its holder. PostgreSQL starts on a data directory whose initialization was cut off, and then lacks
 * what it needs; no server ever ran there before, as the missing file of its options tells.
 *
 * The cluster is made here: the image would start a server of its own for it, which the stack has no use for, as its
 * roles and databases are made later and its superuser has no password. A ballast file holds room back, so that a server
 * that filled its disk can recover: it goes at the start on a full disk, and comes back at a start with room for it.
 *
 * Source: CreateLockFile in src/backend/utils/init/miscinit.c
 */
export const ENTRYPOINT: readonly string[] = [
  "sh",
  "-c",
  `root="\${PGDATA%/${CLUSTER_FOLDER}}"
exec 9<"$root" || exit 1
if ! flock -n 9; then echo "FATAL:  another server of this stack runs on the data volume" >&2; exit 1; fi
if [ ! -d "$PGDATA" ]; then
  for other in "$root"/previous-* "$root"/restore-*; do
    [ ! -d "$other" ] || { echo "FATAL:  a restore was cut off between two renames: pgstack restore --resume" >&2; exit 1; }
  done
  mkdir -m 700 "$PGDATA" || exit 1
fi
${HOLD}
${REFUSE_EMPTIED}
if [ -s "$PGDATA/PG_VERSION" ] && [ ! -e "$PGDATA/postmaster.opts" ] && [ ! -e "$PGDATA/backup_label" ]; then
  echo "FATAL:  the first initialization of the data directory was cut off" >&2; exit 1
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --pgdata="$PGDATA" --username=postgres --no-instructions --data-checksums --encoding=UTF8 --locale=C \\
    --auth-local=peer --auth-host=scram-sha-256 >/dev/null || exit 1
fi
${MAKE_ROOM}
size=\${${BALLAST_VARIABLE}:-0}
if [ "$size" -gt 0 ] && [ "$root" != "$PGDATA" ] && [ ! -e "$ballast" ] && [ "$(free)" -gt $((size * 4)) ]; then
  fallocate -l $((size * 1024)) "$ballast" || rm -f "$ballast"
fi
exec "$@"`,
  "pgstack",
  "docker-entrypoint.sh",
];
