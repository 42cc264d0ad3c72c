import { dataDirectoryOf } from "../data-directory.ts";
import { dockerEngine } from "../docker.ts";
import { demultiplexer } from "../execute/demultiplex.ts";
import { redactText } from "../redaction.ts";
import type { Target } from "../target.ts";
import { readContainerFile, streamContainerFile } from "../volume/archive.ts";

/** The end of a server's logs. */
export interface LastWords {
  /** The few lines that say what went wrong; the last ones when none says so. */
  readonly telling: readonly string[];
  readonly lines: readonly string[];
}

const LINES = 20;
const TELLING_LINES = 3;
const TAIL_BYTES = 16 * 1024;
const COMPLAINT =
  /\b(?:PANIC|FATAL|ERROR|HINT):|\bLOG: .*(?:invalid|unrecognized|could not|must be)|^(?:initdb|postgres|pg_ctl|.*entrypoint.*): .*(?:error|fatal|missing|can't|cannot)|No space left/i;
/** Time and process, by which equal lines differ. */
const PREFIX = /^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] (?:\S*@\S* )?/;
/** Says only that something else went wrong before. */
const FOLLOW_UP = /FATAL: {2}(?:the database system is|terminating|canceling)|HINT: {2}Future log output/;

/** What container and server said last, also when the container has ended; secrets taken out. */
export async function lastWords(target: Target): Promise<LastWords> {
  const [container, server] = await Promise.all([containerLines(target), serverLines(target)]);
  const lines = [...container, ...server].map((line) => redactText(line));
  const complaints = lines.filter((line) => COMPLAINT.test(line) && !FOLLOW_UP.test(line));
  const chosen = (complaints.length > 0 ? complaints : lines).map((line) => line.replace(PREFIX, ""));
  // A server that was started several times says the same each time.
  return { telling: [...new Set(chosen)].slice(-TELLING_LINES), lines };
}

async function containerLines(target: Target): Promise<string[]> {
  const container = dockerEngine(target.dockerHost).getContainer(target.container);
  const text: Buffer[] = [];
  const keep = (piece: Buffer): void => {
    text.push(piece);
  };
  try {
    const { RestartCount, State } = await container.inspect();
    // What ended a container that was started again is in its last run; a loop may have begun with another fault.
    const since = RestartCount === 0 ? Math.floor(Date.parse(State.StartedAt) / 1000) : 0;
    const log = await container.logs({ stdout: true, stderr: true, tail: LINES, since, follow: false });
    demultiplexer(keep, keep)(log);
  } catch {
    return [];
  }
  return linesOf(Buffer.concat(text));
}

/** The server writes to its own file as soon as its log collector runs. */
async function serverLines(target: Target): Promise<string[]> {
  const container = dockerEngine(target.dockerHost).getContainer(target.container);
  try {
    const dataDirectory = dataDirectoryOf((await container.inspect()).Config.Env);
    const index = await readContainerFile(container, `${dataDirectory}/current_logfiles`);
    const path = /^stderr (log\/[^/]+)$/m.exec(index?.content.toString("utf8") ?? "")?.[1];
    if (path === undefined) return [];
    let tail: Buffer = Buffer.alloc(0);
    await streamContainerFile(container, `${dataDirectory}/${path}`, (piece) => {
      tail = Buffer.concat([tail, piece]).subarray(-TAIL_BYTES);
    });
    return linesOf(tail);
  } catch {
    return [];
  }
}

function linesOf(text: Buffer): string[] {
  return text
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-LINES);
}
