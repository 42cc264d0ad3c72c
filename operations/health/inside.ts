import { BALLAST_VARIABLE } from "../before-start.ts";
import { CLUSTER_FOLDER } from "../data-directory.ts";
import { executeInContainer } from "../execute.ts";
import { PRINT_HELD } from "../held.ts";
import type { Target } from "../target.ts";

/** What programs in the server's container say. */
export interface InsideView {
  /** Exit code of pg_isready over TCP. */
  readonly readyCode: number;
  /** Why the container holds the server back; absent while it does not. */
  readonly held?: string;
  /** The file that holds room back on the data volume is gone. */
  readonly ballastUsed: boolean;
  /** Output of `df -P -k` for the data directory, and what it complained about. */
  readonly df: { readonly exitCode: number; readonly output: string; readonly complaint: string };
}

const READY_LINE = /^ready (\d+) ballast (kept|used) held (.*)\n/;
// pg_isready goes first and has its own time limit, so that a disk that hangs does not hide its answer.
const SCRIPT = `pg_isready --quiet --host=127.0.0.1 --port="$1" --timeout="$2" --username="$3" --dbname="$4"
ready=$? root=\${PGDATA%/${CLUSTER_FOLDER}} ballast=kept
[ "\${${BALLAST_VARIABLE}:-0}" -eq 0 ] || [ "$root" = "$PGDATA" ] || [ -e "$root/ballast" ] || ballast=used
echo "ready $ready ballast $ballast held $(${PRINT_HELD})"
timeout "$2" df -P -k "$PGDATA"`;

/**
 * Asks all of them by one execution: starting one in a container takes longer than everything else in a quick check.
 *
 * @param role Whom pg_isready asks for; for nobody, or for the superuser, the server logs a refused sign-in.
 */
export async function lookInside(
  target: Target,
  role: string,
  timeoutMilliseconds: number,
): Promise<InsideView> {
  const seconds = String(Math.max(1, Math.floor(timeoutMilliseconds / 3_000)));
  const { exitCode, stdout, stderr } = await executeInContainer(target, {
    command: ["sh", "-c", SCRIPT, "health", String(target.port), seconds, role, target.database],
    timeoutMilliseconds,
  });
  const ready = READY_LINE.exec(stdout);
  if (ready === null)
    throw new Error(`the container could not be asked: ${stderr.trim() || `code ${exitCode}`}`);
  const output = stdout.slice(ready[0].length);
  return {
    readyCode: Number(ready[1]),
    ...(ready[3] ? { held: ready[3] } : {}),
    ballastUsed: ready[2] === "used",
    df: { exitCode, output, complaint: stderr.trim() },
  };
}
