/** What a server writes before its first query: its lock file, its log, its statistics. */
const START_KILOBYTES = 1024;
const SEGMENT_BYTES = 16 * 1024 ** 2;

/**
 * Makes room on a full data volume and, where that is not enough, holds the server back until there is: started without, it would
 * end at once, and Docker would start it for ever. Expects `HOLD`, and `$root`, the volume's root.
 *
 * Crash recovery ends in a new segment of the write-ahead log, so one must have room unless the server was shut down in
 * order; whatever else fails for lack of room leaves less than that free.
 *
 * What goes, in this order: files of ended sessions, which PostgreSQL removes at its start itself (RemovePgTempFiles in
 * src/backend/storage/file/fd.c, RemoveTempXlogFiles in src/backend/access/transam/xlog.c); the ballast; logs but the two
 * newest. While it holds it writes nothing to the volume, keeps the lock, and ends at once when told to.
 */
export const MAKE_ROOM = `ballast="$root/ballast"
free() { df -Pk "$root" | { read -r _; read -r _ _ _ kilobytes _; echo "$kilobytes"; }; }
control() { LC_ALL=C pg_controldata "$PGDATA" 2>/dev/null | sed -n "s/^$1: *//p"; }
segment=$(control "Bytes per WAL segment")
recovery=$((\${segment:-${SEGMENT_BYTES}} / 1024 + ${START_KILOBYTES}))
case $(control "Database cluster state") in
  "shut down" | "shut down in recovery") needed=${START_KILOBYTES} purpose=start ;;
  *) needed=$recovery purpose=recover ;;
esac
lacks() { [ "$(free)" -lt "$1" ]; }
if lacks "$recovery"; then
  find "$PGDATA/base" "$PGDATA"/pg_tblspc/*/PG_* -mindepth 2 -maxdepth 2 \\
    \\( -path '*/pgsql_tmp/pgsql_tmp*' -o -name 't[0-9]*_[0-9]*' -type f \\) -exec rm -rf {} + 2>/dev/null
  rm -f "$PGDATA"/pg_wal/xlogtemp.*
fi
if [ -e "$ballast" ] && lacks "$recovery"; then
  rm "$ballast" && echo "LOG:  the data volume is full: the ballast file is removed, to recover with its room" >&2
fi
if lacks "$needed"; then
  ls -1t "$PGDATA/log" 2>/dev/null | tail -n +3 | tac | while read -r name && lacks "$needed"; do
    rm "$PGDATA/log/$name" && echo "LOG:  the data volume is full: the old log $name is removed" >&2
  done
fi
if lacks "$needed"; then
  kept=
  for other in "$root"/previous-*; do
    [ ! -d "$other" ] || kept="; pgstack restore --forget removes what restores have kept on it"
  done
  while kilobytes=$(free) && [ "$kilobytes" -lt "$needed" ]; do
    more=$(((needed - kilobytes + 1023) / 1024))
    hold "the data volume is full (No space left on device): $((kilobytes / 1024)) MB are free and $((needed / 1024)) MB are needed to $purpose, $more MB more: make room on its disk or enlarge it, and the server goes on by itself$kept"
  done
  let_go
  echo "LOG:  the data volume has room again: the server starts" >&2
fi`;
