import { type Duplex, PassThrough, type Readable } from "node:stream";
import { demultiplex } from "./execute/demultiplex.ts";
import { ContainerNotRunning, startExecution } from "./execute.ts";
import { PRINT_HELD } from "./held.ts";
import { LOG_DIRECTORY } from "./postgresql-conf.ts";
import type { Target } from "./target.ts";
import { UserError } from "./user-error.ts";

/** What of the server's log to read. */
export interface ServerLogOptions {
  /** Last lines to begin with, over rotated files where needed. Default: 100. */
  readonly lines?: number;
  /** Go on with what the server writes from now on, also over rotations, until the signal. Default: false. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

const DEFAULT_LINES = 100;
const MOST_LINES = 1_000_000;

/**
 * Prints the last lines and, when following, what comes after. `current_logfiles` names the file in use
 * (https://www.postgresql.org/docs/16/storage-file-layout.html); after a rotation the old one is read to its end
 * first. The read with a time limit is both the pause and the way to notice that the reader is gone: Docker ends no
 * process whose client has left, but it closes its standard input. A server that is held back writes nothing itself: the
 * container's words follow its last ones.
 */
const SCRIPT = String.raw`
cd "$PGDATA" || exit 3
count=$1 follow=$2 directory=$3
shopt -s nullglob
current() {
  local kind path
  while read -r kind path; do [[ $kind == stderr ]] && file=$path; done < current_logfiles
} 2> /dev/null
size() { stat -c %s -- "$1" 2> /dev/null || echo 0; }
mapfile -t recent < <(ls -1t -- "$directory"/*.log 2> /dev/null | head -n 3 | tac)
file=$([[ \${#recent[@]} -gt 0 ]] && echo "\${recent[-1]}")
current
now=$file
position=$(size "$now")
if (( \${#recent[@]} > 0 && count > 0 )); then
  older=()
  for one in "\${recent[@]}"; do [[ $one != "$now" ]] && older+=("$one"); done
  { (( \${#older[@]} > 0 )) && cat -- "\${older[@]}"; head -c "$position" -- "$now"; } 2> /dev/null | tail -n "$count"
fi
reason=$(${PRINT_HELD}) && echo "FATAL:  the server is held: $reason"
[[ $follow == true ]] || exit 0
copy() {
  local end
  end=$(size "$now")
  (( end < position )) && position=0
  if (( end > position )); then
    tail -c "+$((position + 1))" -- "$now" | head -c "$((end - position))"
    position=$end
  fi
}
while :; do
  read -r -t 0.3 _
  (( $? > 128 )) || exit 0
  current
  [[ -n $now ]] && copy
  if [[ $file != "$now" ]]; then now=$file position=0; copy; fi
done
`.replaceAll("\\$", "$");

/**
 * The server's own log, line by line, read in its container.
 *
 * @throws UserError when the container is missing or not running, or when `lines` is no sensible number.
 */
export async function* streamServerLog(
  target: Target,
  options: ServerLogOptions = {},
): AsyncGenerator<string> {
  const lines = options.lines ?? DEFAULT_LINES;
  if (!Number.isSafeInteger(lines) || lines < 0 || lines > MOST_LINES) {
    throw new UserError(`--lines ${lines}: a whole number from 0 to ${MOST_LINES} is right`);
  }
  const ended = () => options.signal?.aborted === true;
  if (ended()) return;
  const raw = await start(target, lines, options.follow === true);
  const stop = () => raw.destroy();
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    yield* linesFrom(outputOf(raw));
  } catch (error) {
    if (!ended()) throw error;
  } finally {
    options.signal?.removeEventListener("abort", stop);
    raw.destroy();
  }
}

async function start(target: Target, lines: number, follow: boolean): Promise<Duplex> {
  try {
    const command = ["bash", "-c", SCRIPT, "server-log", String(lines), String(follow), LOG_DIRECTORY];
    const { stream } = await startExecution(target, { command });
    return stream;
  } catch (error) {
    if (!(error instanceof ContainerNotRunning)) throw error;
    throw new UserError(
      `${error.message}: what it last said is in the newest logs/bootstrap-${target.stack}-*.log`,
      {
        cause: error,
      },
    );
  }
}

function outputOf(raw: Duplex): Readable {
  const output = new PassThrough();
  const take = (piece: Buffer) => void output.write(piece);
  demultiplex(raw, take, take).then(
    () => output.end(),
    (error: unknown) => output.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return output;
}

async function* linesFrom(output: Readable): AsyncGenerator<string> {
  let rest = "";
  output.setEncoding("utf8");
  for await (const piece of output as AsyncIterable<string>) {
    const lines = `${rest}${piece}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
