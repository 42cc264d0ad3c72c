import { rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the agent tells of itself every few seconds; times are ISO 8601. */
export interface HeartbeatRecord {
  readonly at: string;
  /** When its loop last came round. */
  readonly looked: string;
  /** What it is at, and since when; absent while it waits for something to do. */
  readonly task?: { readonly name: string; readonly since: string };
  /** When the next backup is due; absent before that is known. */
  readonly nextBackup?: string;
}

const BEAT_MILLISECONDS = 5_000;

/** A sign of life in memory, not on the disk: a health check reads it. */
export class Heartbeat {
  readonly #timer: NodeJS.Timeout;
  #looked = new Date();
  #task: HeartbeatRecord["task"];
  #nextBackup: Date | undefined;

  constructor() {
    this.#timer = setInterval(() => void this.#beat(), BEAT_MILLISECONDS);
    void this.#beat();
  }

  /** The loop has come round. */
  look(): void {
    this.#looked = new Date();
  }

  /** Runs work that keeps the loop from coming round. */
  async during<Value>(name: string, work: () => Promise<Value>): Promise<Value> {
    this.#task = { name, since: new Date().toISOString() };
    try {
      return await work();
    } finally {
      this.#task = undefined;
      this.look();
    }
  }

  set nextBackup(due: Date) {
    this.#nextBackup = due;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #beat(): Promise<void> {
    const record: HeartbeatRecord = {
      at: new Date().toISOString(),
      looked: this.#looked.toISOString(),
      ...(this.#task === undefined ? {} : { task: this.#task }),
      ...(this.#nextBackup === undefined ? {} : { nextBackup: this.#nextBackup.toISOString() }),
    };
    // A sign of life that fails to be written is one that lacks: the reader tells.
    await writeFile(`${HEARTBEAT_FILE}.new`, JSON.stringify(record), { mode: 0o600 })
      .then(() => rename(`${HEARTBEAT_FILE}.new`, HEARTBEAT_FILE))
      .catch(() => {});
  }
}

/** In the agent's container, whose /tmp is in memory. */
export const HEARTBEAT_FILE = join(tmpdir(), "pgstack-heartbeat.json");
