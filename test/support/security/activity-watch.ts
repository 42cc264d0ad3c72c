import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import type { LiveStack } from "./live-stack.ts";
import type { Place } from "./places.ts";

const EVERY_MILLISECONDS = 20;

/** Notes all that the server shows of its sessions, as the administrator sees it. */
export class ActivityWatch {
  readonly #client: Client;
  readonly #stop = new AbortController();
  readonly #places: Place[] = [];
  readonly #work: Promise<void>;

  private constructor(client: Client) {
    this.#client = client;
    this.#work = this.#look();
  }

  static async start(stack: LiveStack): Promise<ActivityWatch> {
    return new ActivityWatch(await stack.session("administrator"));
  }

  async end(): Promise<Place[]> {
    this.#stop.abort();
    await this.#work;
    await this.#client.end();
    return this.#places;
  }

  async #look(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const { rows } = await this.#client.query("SELECT * FROM pg_stat_activity");
      this.#places.push(["pg_stat_activity", JSON.stringify(rows)]);
      await delay(EVERY_MILLISECONDS);
    }
  }
}
