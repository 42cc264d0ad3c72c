import type { sessionFiles } from "./places.ts";

type Files = ReturnType<typeof sessionFiles>;

/** A word for a shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** What makes an empty cluster whose server loses nothing that matters. */
export const INITDB = [
  ...["initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--username=postgres", "--auth=trust"],
  "--data-checksums",
];

/** Seconds that a server has to end before it is killed. */
const GRACE_SECONDS = 20;

/**
 * What the sandbox runs for one session: a server, until the agent lets go of its lock, also by being killed. What is left of the
 * cluster goes with it.
 *
 * @param options Each a `name=value` for the server.
 */
export function sessionScript(files: Files, options: readonly string[]): string {
  const { wanted, ready, running, log, cluster, own, dataDirectory } = files;
  const server = ["postgres", ...["-D", dataDirectory], ...options.flatMap((option) => ["-c", option])];
  return `exec 9<>${quoted(running)} && flock 9 || exit
exec >>${quoted(log)} 2>&1 </dev/null
echo "the session begins"
until [ -e ${quoted(ready)} ]; do
  flock --nonblock ${quoted(wanted)} true && exit
  sleep 0.05
done
mkdir -m 750 ${quoted(own)} || exit
if [ -d ${quoted(cluster)} ]; then
  mkdir -m 750 ${quoted(dataDirectory)} || exit
  for entry in ${quoted(cluster)}/* ${quoted(cluster)}/.[!.]*; do
    if [ -e "$entry" ] || [ -L "$entry" ]; then mv -- "$entry" ${quoted(dataDirectory)}/ || exit; fi
  done
else
  ${INITDB.join(" ")} --allow-group-access --pgdata=${quoted(dataDirectory)} >/dev/null || exit
fi
export LC_ALL=C
${server.map(quoted).join(" ")} 9<&- &
server=$!
{
  flock ${quoted(wanted)} true
  kill -INT "$server"
  sleep ${GRACE_SECONDS}
  kill -KILL "$server"
} 9<&- >/dev/null 2>&1 &
wait "$server"
echo "the server has ended (exit code $?)"
rm -rf ${quoted(own)}
`;
}

/** The server's restore_command: asks the agent for a file of the archive, and takes it from where the agent has put it. */
export function fetchScript({ asked, answers, supply }: Files): string {
  return `exec 3<>${quoted(answers)}
echo "$1" >${quoted(asked)}
while read -r name code <&3; do
  [ "$name" = "$1" ] || continue
  [ "$code" = 0 ] || exit "$code"
  exec cp ${quoted(supply)}/"$1" "$2"
done
exit 1
`;
}
