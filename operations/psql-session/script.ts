/**
 * Reads the secrets that psql needs, then becomes psql.
 *
 * They go to files that have lost their names before anything is written to them; libpq opens them again by their
 * descriptors, also for `\connect`. The marker says that the terminal does not echo any more, so that nothing of what
 * is sent then is shown, and which process psql will be.
 */
export const SCRIPT = `
umask 077
mode=$1
shift
directory=/dev/shm
[ -w "$directory" ] || directory=/tmp
[ "$mode" = plain ] || stty -echo || exit 1
password=$(mktemp "$directory/pgstack.XXXXXX") && exec 3<> "$password" && rm -f -- "$password" || exit 1
authority=$(mktemp "$directory/pgstack.XXXXXX") && exec 4<> "$authority" && rm -f -- "$authority" || exit 1
printf '\\002%s\\003' "$$"
IFS= read -r line || exit 1
printf '%s\\n' "$line" >&3
while IFS= read -r line && [ "$line" != . ]; do printf '%s\\n' "$line" >&4; done
unset line password authority
[ "$mode" = plain ] || stty echo
if [ -z "$PSQL_PAGER$PAGER" ]; then
  PSQL_PAGER=
  for pager in less more; do
    if command -v "$pager" > /dev/null; then PSQL_PAGER=$pager; break; fi
  done
  export PSQL_PAGER
fi
exec psql "$@"
`;

const START = 0x02;
const END = 0x03;

/** Finds the marker in what the script has said so far; `rest` is what is not part of it. */
export function takeMarker(said: Buffer): { readonly processId?: string; readonly rest: Buffer } {
  const start = said.indexOf(START);
  const end = said.indexOf(END, Math.max(0, start));
  if (start < 0 || end < 0) return { rest: said };
  return {
    processId: said.subarray(start + 1, end).toString("latin1"),
    rest: Buffer.concat([said.subarray(0, start), said.subarray(end + 1)]),
  };
}
