import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { expect } from "vitest";
import type { LiveStack } from "./security/live-stack.ts";

const RETRY_MILLISECONDS = 20;

/**
 * A client that writes one row after the other and remembers each commit that the server acknowledged; it connects
 * again whenever it must.
 */
export class Writer {
  readonly #stack: LiveStack;
  readonly #table: string;
  readonly #acknowledged: number[] = [];
  /** When each was, by performance.now(). */
  readonly #times: number[] = [];
  #next = 0;
  #ended = false;
  #running: Promise<void> | undefined;

  private constructor(stack: LiveStack, table: string) {
    this.#stack = stack;
    this.#table = table;
  }

  /** Makes the table and begins to write. */
  static async start(stack: LiveStack, table: string): Promise<Writer> {
    const administrator = await stack.session("administrator");
    await administrator.query(`CREATE TABLE ${table} (n bigint PRIMARY KEY)`);
    await administrator.end();
    const writer = new Writer(stack, table);
    writer.#running = writer.#run();
    return writer;
  }

  /** How many commits were acknowledged. */
  get count(): number {
    return this.#acknowledged.length;
  }

  /** The commits that were acknowledged before a moment, by performance.now(). */
  before(moment: number): readonly number[] {
    return this.#acknowledged.filter((_, index) => (this.#times[index] ?? 0) < moment);
  }

  /** Waits until so many more commits are acknowledged. */
  async progress(more = 50, timeoutMilliseconds = 60_000): Promise<void> {
    const wanted = this.count + more;
    await expect
      .poll(() => this.count, { timeout: timeoutMilliseconds, interval: 20 })
      .toBeGreaterThan(wanted);
  }

  /** Stops writing, and compares: every acknowledged row must be there. */
  async finish(): Promise<void> {
    await this.finishAt(this.#stack);
  }

  /** Like {@link finish}, with the rows of another stack, into which the database has gone. */
  async finishAt(stack: LiveStack): Promise<void> {
    await this.end();
    const session = await stack.session("readonly");
    const { rows } = await session.query<{ n: string }>(`SELECT n FROM ${this.#table}`);
    await session.end();
    const there = new Set(rows.map(({ n }) => Number(n)));
    expect(this.#acknowledged.filter((n) => !there.has(n))).toEqual([]);
    expect(this.count).toBeGreaterThan(0);
  }

  /** Stops writing. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    let client: Client | undefined;
    while (!this.#ended) {
      try {
        client ??= await this.#stack.session("application", { connectTimeoutMilliseconds: 2_000 });
        this.#next += 1;
        await client.query(`INSERT INTO ${this.#table} VALUES (${this.#next})`);
        this.#acknowledged.push(this.#next);
        this.#times.push(performance.now());
      } catch {
        await client?.end().catch(() => {});
        client = undefined;
        await delay(RETRY_MILLISECONDS);
      }
    }
    await client?.end().catch(() => {});
  }
}
