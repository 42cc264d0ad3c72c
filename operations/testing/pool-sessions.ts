import { createHash } from "node:crypto";
import pLimit from "p-limit";
import type { Client } from "pg";
import { SuperuserSession } from "../superuser/session.ts";
import type { Target } from "../target.ts";
import type { Query } from "./lease-table.ts";

/**
 * A rename or drop that meets a session at its very end sleeps 100 ms before it looks again; whatever interrupts the server's
 * process wakes it, and this does so every few milliseconds.
 * https://www.postgresql.org/docs/16/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL
 */
const LOOK_AGAIN_SOON = "SET client_connection_check_interval = '2ms'";
/** At once, however many takers come together: the server's other sessions are for these. */
const MOST = 16;
/** Kept open between requests. */
const MOST_IDLE = 8;

/** The sessions of a pool in the database `postgres`: the administrator's, and the superuser's through the container. */
export class PoolSessions {
  readonly #target: Target;
  readonly #connect: () => Promise<Client>;
  readonly #limit = pLimit(MOST);
  readonly #idle: Client[] = [];
  /** What the server has ended. */
  readonly #broken = new WeakSet<Client>();
  readonly #superusers: SuperuserSession[] = [];

  constructor(target: Target, connect: () => Promise<Client>) {
    this.#target = target;
    this.#connect = connect;
  }

  /** Lends one of the administrator's; what has one must not ask for another meanwhile, for they are limited. */
  async use<Value>(work: (client: Client) => Promise<Value>): Promise<Value> {
    return await this.#limit(async () => {
      let client = this.#idle.pop();
      while (client !== undefined && this.#broken.has(client)) client = this.#idle.pop();
      client ??= await this.#opened();
      try {
        return await work(client);
      } finally {
        if (this.#broken.has(client) || this.#idle.length >= MOST_IDLE) await client.end().catch(() => {});
        else this.#idle.push(client);
      }
    });
  }

  /** Runs one statement as the administrator, in any of the sessions. */
  readonly query: Query = async (text, values) => await this.use((client) => queryOf(client)(text, values));

  /** Runs a script of psql as the superuser. @throws where a statement of it fails. */
  async asSuperuser(sql: string): Promise<void> {
    const idle = this.#superusers.pop();
    const session = idle?.isOpen ? idle : await SuperuserSession.open(this.#target);
    await session.run(sql);
    this.#superusers.push(session);
  }

  /** Ends all sessions; nothing must be at work. */
  async close(): Promise<void> {
    for (const session of this.#superusers.splice(0)) session.close();
    await Promise.all(this.#idle.splice(0).map((client) => client.end()));
  }

  async #opened(): Promise<Client> {
    const client = await this.#connect();
    // An error that nobody listens to would end the process, and the server may end a session at any time.
    client.on("error", () => this.#broken.add(client));
    await client.query(LOOK_AGAIN_SOON);
    return client;
  }
}

/** Statements are prepared once for each session: planning one takes longer than most take to run. */
export function queryOf(client: Client): Query {
  return async <Row extends object>(text: string, values: readonly unknown[] = []) => {
    const name = createHash("sha256").update(text).digest("hex").slice(0, 32);
    return (await client.query<Row>({ name, text, values: [...values] })).rows;
  };
}
