import { readFile } from "node:fs/promises";

interface EngineEvent {
  readonly timestamp: number;
  readonly resourcePreEvent?: { readonly metadata: { readonly urn: string; readonly type: string } };
  readonly resOutputsEvent?: { readonly metadata: { readonly urn: string; readonly type: string } };
}

/** One phase of a run. */
export interface Phase {
  readonly name: string;
  readonly seconds: number;
}

/**
 * Where a run of Pulumi spent its time, from its event log. The engine writes whole seconds, so each resource's time is
 * taken from the moments at which the events were seen.
 */
export function breakdown(started: number, ended: number, seen: readonly SeenEvent[]): Phase[] {
  const first = seen[0]?.at ?? ended;
  const registered = seen.find(({ event }) => event.resourcePreEvent !== undefined)?.at ?? ended;
  const phases: Phase[] = [
    { name: "command line and state", seconds: (first - started) / 1000 },
    { name: "language host, Node.js, program, plugins", seconds: (registered - first) / 1000 },
  ];
  const begun = new Map<string, number>();
  for (const { at, event } of seen) {
    const pre = event.resourcePreEvent?.metadata;
    if (pre !== undefined) begun.set(pre.urn, at);
    const done = event.resOutputsEvent?.metadata;
    const begin = done === undefined ? undefined : begun.get(done.urn);
    if (done !== undefined && begin !== undefined && !done.type.startsWith("pgstack:")) {
      const name = done.urn.split("::").at(-1) ?? "";
      phases.push({ name: `  ${done.type.split(":").at(-1)} ${name}`, seconds: (at - begin) / 1000 });
    }
  }
  const last = seen.at(-1)?.at ?? ended;
  phases.push({ name: "end of the run", seconds: (ended - last) / 1000 });
  return phases;
}

/** An event of the engine and when it was seen, in milliseconds. */
export interface SeenEvent {
  readonly at: number;
  readonly event: EngineEvent;
}

/** Follows an event log while a run writes it. */
export class EventLog {
  readonly #path: string;
  readonly #seen: SeenEvent[] = [];
  #read = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes in what was written since the last call. */
  async poll(): Promise<void> {
    const text = await readFile(this.#path, "utf8").catch(() => "");
    const end = text.lastIndexOf("\n") + 1;
    for (const line of text.slice(this.#read, end).split("\n")) {
      if (line !== "") this.#seen.push({ at: performance.now(), event: JSON.parse(line) });
    }
    this.#read = Math.max(this.#read, end);
  }

  get events(): readonly SeenEvent[] {
    return this.#seen;
  }
}
