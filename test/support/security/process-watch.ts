import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { dockerEngine } from "../../../operations/docker.ts";
import { demultiplexer } from "../../../operations/execute/demultiplex.ts";

const EVERY_MILLISECONDS = 20;
/** Reading its input with a time limit is the pause between two rounds, and tells when the watch has ended. */
const LOOK_INSIDE =
  "while read -rt 0.02; [ $? -gt 128 ]; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; done";

/** What was seen of one process: its command line and, where this user may read it, its environment. */
export interface SeenProcess {
  readonly pid: number;
  readonly commandLine: string;
  readonly environment: string;
  /** It is `pulumi`, or was started by it: the passphrase is in its environment. */
  readonly ofPulumi: boolean;
}

/**
 * Looks at all processes every 20 milliseconds: on this machine through /proc, and in a container by a loop inside of
 * it, which works on a remote engine too.
 */
export class ProcessWatch {
  readonly #seen = new Map<string, SeenProcess>();
  readonly #insideContainer: Buffer[] = [];
  readonly #stop = new AbortController();
  readonly #ofPulumi = new Set<number>();
  readonly #work: Promise<unknown>;
  #rounds = 0;

  constructor(container: string) {
    this.#work = Promise.all([this.#lookAround(), this.#lookInside(container)]);
  }

  /** Ends the watch. */
  async end(): Promise<{ processes: SeenProcess[]; insideContainer: Buffer; rounds: number }> {
    this.#stop.abort();
    await this.#work;
    return {
      processes: [...this.#seen.values()],
      insideContainer: Buffer.concat(this.#insideContainer),
      rounds: this.#rounds,
    };
  }

  async #lookAround(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const name of readdirSync("/proc")) {
        if (/^\d+$/.test(name)) this.#lookAt(Number(name));
      }
      this.#rounds += 1;
      await delay(EVERY_MILLISECONDS);
    }
  }

  #lookAt(pid: number): void {
    const commandLine = read(pid, "cmdline");
    // A thread of the kernel, or a process that is over.
    if (commandLine === "") return;
    const key = `${pid} ${commandLine}`;
    if (this.#seen.has(key)) return;
    // The second field is the program's name in parentheses, the fourth the parent.
    const stat = read(pid, "stat");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    const ofPulumi =
      /^([^ ]*\/)?pulumi /.test(commandLine) || this.#ofPulumi.has(parent) || this.#ofPulumi.has(pid);
    if (ofPulumi) this.#ofPulumi.add(pid);
    this.#seen.set(key, { pid, commandLine, environment: read(pid, "environ"), ofPulumi });
  }

  async #lookInside(name: string): Promise<void> {
    const container = dockerEngine().getContainer(name);
    while (!this.#stop.signal.aborted) {
      try {
        const exec = await container.exec({
          Cmd: ["bash", "-c", LOOK_INSIDE],
          AttachStdin: true,
          AttachStdout: true,
          AttachStderr: true,
        });
        const stream = await exec.start({ hijack: true, stdin: true });
        const end = (): unknown => stream.end("\n");
        this.#stop.signal.addEventListener("abort", end, { once: true });
        if (this.#stop.signal.aborted) end();
        const keep = (chunk: Buffer): unknown => this.#insideContainer.push(chunk);
        const feed = demultiplexer(keep, keep);
        for await (const chunk of stream as AsyncIterable<Buffer>) feed(chunk);
      } catch {
        // Not there yet, or on its way out.
      }
      await delay(EVERY_MILLISECONDS);
    }
  }
}

function read(pid: number, file: "cmdline" | "environ" | "stat"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
