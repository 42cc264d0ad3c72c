import { join } from "node:path";
import type Docker from "dockerode";
import { dataDirectoryOf } from "./data-directory.ts";
import { dockerEngine, findContainer } from "./docker.ts";
import { demultiplexer } from "./execute/demultiplex.ts";
import { LOG_DIRECTORY } from "./postgresql-conf.ts";
import { redactText } from "./redaction.ts";
import type { Target } from "./target.ts";
import { readContainerFile, streamContainerFile } from "./volume/archive.ts";
import { writeWhole } from "./write-whole.ts";

/** What {@link saveBootstrapLog} writes where. */
export interface BootstrapLogOptions {
  /** Folder for the snapshot; made when missing. */
  readonly logsDirectory: string;
  /** A line at the head of the file: why the snapshot was taken. */
  readonly reason?: string;
}

/** Lines kept of each of the two logs. */
const LINES = 2_000;
const LONGEST_LINE = 10_000;

/**
 * Saves what container and server said since their start, for reading after the container is gone: the last 2,000
 * lines of each, readable by the owner only, with what looks like a secret taken out. Works on a stopped container.
 *
 * @returns Path of the snapshot, `bootstrap-<stack>-<UTC timestamp>.log`. It appears under its name whole.
 */
export async function saveBootstrapLog(target: Target, options: BootstrapLogOptions): Promise<string> {
  const docker = dockerEngine(target.dockerHost);
  const at = new Date();
  const sections = [
    `stack ${target.stack}, container ${target.container}, saved ${at.toISOString()}`,
    ...(options.reason === undefined ? [] : [`reason: ${options.reason.replaceAll(/\s+/g, " ")}`]),
  ];
  const found = await findContainer(docker, target.container);
  if (found === undefined) {
    sections.push("", "The container does not exist.");
  } else {
    const container = docker.getContainer(found.Id);
    const { Status, ExitCode, Error: failure, OOMKilled } = found.State;
    sections.push(
      `state: ${Status}, exit code ${ExitCode}${OOMKilled ? ", out of memory" : ""} ${failure}`.trimEnd(),
    );
    sections.push("", "--- log of the container", ...(await containerLog(container)));
    const server = await serverLog(container, dataDirectoryOf(found.Config.Env));
    sections.push(
      "",
      `--- log of the server${server.path === undefined ? "" : ` (${server.path})`}`,
      ...server.lines,
    );
  }
  const stamp = at
    .toISOString()
    .replaceAll(/[-:]/g, "")
    .replace("T", "-")
    .replace(/\.(\d+)Z$/, "-$1Z");
  const path = join(options.logsDirectory, `bootstrap-${target.stack}-${stamp}.log`);
  await writeWhole(path, `${redactText(sections.join("\n"))}\n`);
  return path;
}

async function containerLog(container: Docker.Container): Promise<string[]> {
  const raw = await container.logs({
    stdout: true,
    stderr: true,
    timestamps: true,
    tail: LINES,
    follow: false,
  });
  const lines = new LastLines(LINES);
  const keep = (piece: Buffer): void => lines.add(piece);
  demultiplexer(keep, keep)(raw);
  return lines.end();
}

/**
 * The server's present log file. Its name stands in `current_logfiles`, which also outlives a failed start:
 * https://www.postgresql.org/docs/16/runtime-config-logging.html
 */
async function serverLog(
  container: Docker.Container,
  dataDirectory: string,
): Promise<{ path?: string; lines: string[] }> {
  const index = await readContainerFile(container, `${dataDirectory}/current_logfiles`);
  const path = /^stderr (.+)$/m.exec(index?.content.toString("utf8") ?? "")?.[1];
  if (path === undefined || !path.startsWith(`${LOG_DIRECTORY}/`) || path.includes("..")) {
    return { lines: ["The server has written none."] };
  }
  const lines = new LastLines(LINES);
  const mode = await streamContainerFile(container, `${dataDirectory}/${path}`, (piece) => lines.add(piece));
  return { path, lines: mode !== undefined ? lines.end() : ["The server's log file is gone."] };
}

/** Keeps the last lines of a text that comes in pieces. */
class LastLines {
  readonly #limit: number;
  #lines: string[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(piece: Buffer): void {
    const all = Buffer.concat([this.#rest, piece]);
    const end = all.lastIndexOf(0x0a);
    this.#rest = all.subarray(end + 1);
    if (this.#rest.length > LONGEST_LINE) this.#rest = this.#rest.subarray(-LONGEST_LINE);
    if (end === -1) return;
    this.#lines.push(...all.subarray(0, end).toString("utf8").split("\n"));
    if (this.#lines.length > this.#limit) this.#lines = this.#lines.slice(-this.#limit);
  }

  end(): string[] {
    const lines = this.#rest.length === 0 ? this.#lines : [...this.#lines, this.#rest.toString("utf8")];
    return lines.slice(-this.#limit).map((line) => line.slice(0, LONGEST_LINE).replace(/\r$/, ""));
  }
}
