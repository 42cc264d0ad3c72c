/** In the server's container, whose /tmp is in memory: why the server is held back; absent while it is not. */
export const HELD_FILE = "/tmp/pgstack-held";
/** Between two looks, each of which writes the reason as it is then. */
const POLL_SECONDS = 1;
/** The log tells again after so many looks: every ten minutes. */
const POLLS_PER_LINE = 600;

/** Shell functions of the entry point: `hold REASON` holds the server back for a moment, `let_go` has it start. */
export const HOLD = `held=${HELD_FILE} polls=0
rm -f "$held"
hold() {
  trap 'exit 0' INT TERM
  { echo "$1" >"$held.new" && mv "$held.new" "$held"; } 2>/dev/null
  [ $((polls % ${POLLS_PER_LINE})) -gt 0 ] || echo "FATAL:  the server is held: $1" >&2
  polls=$((polls + 1))
  sleep ${POLL_SECONDS} &
  wait $!
}
let_go() {
  trap - INT TERM
  polls=0
  rm -f "$held"
}`;
