import type { Client } from "pg";
import { connect } from "../connection.ts";
import type { RoleKind } from "../roles.ts";
import type { Credential, ServerTrust, Target } from "../target.ts";
import { NoSession, type Session } from "./check.ts";

/** The connections of one health check: each role's at most once, made when first asked for. */
export class Sessions {
  readonly #target: Target;
  readonly #credentials: Readonly<Record<RoleKind, Credential>>;
  readonly #trust: ServerTrust | undefined;
  readonly #timeoutMilliseconds: number;
  readonly #open = new Map<RoleKind, Promise<{ client: Client; session: Session }>>();

  constructor(
    target: Target,
    credentials: Readonly<Record<RoleKind, Credential>>,
    trust: ServerTrust | undefined,
    timeoutMilliseconds: number,
  ) {
    this.#target = target;
    this.#credentials = credentials;
    this.#trust = trust;
    this.#timeoutMilliseconds = timeoutMilliseconds;
  }

  /** The role's session. @throws NoSession whose cause says why there is none. */
  async of(kind: RoleKind): Promise<Session> {
    let opened = this.#open.get(kind);
    if (opened === undefined) {
      opened = this.#connect(kind);
      this.#open.set(kind, opened);
    }
    return (await opened).session;
  }

  /** Ends all connections, without waiting for a server that does not answer. */
  async close(): Promise<void> {
    await Promise.allSettled(
      [...this.#open.values()].map(async (opened) => {
        const { client } = await opened;
        const hung = setTimeout(() => client.connection.stream.destroy(), 500);
        await client.end().finally(() => clearTimeout(hung));
      }),
    );
  }

  async #connect(kind: RoleKind): Promise<{ client: Client; session: Session }> {
    const credential = this.#credentials[kind];
    try {
      const client = await connect(this.#target, credential, this.#trust, {
        connectTimeoutMilliseconds: this.#timeoutMilliseconds * 0.9,
        applicationName: "pgstack health",
      });
      // Without a listener a connection that breaks later would end the whole process.
      client.on("error", () => {});
      // A query that hangs must not keep its session from the checks after it.
      await client.query(
        `set statement_timeout = ${Math.max(1, Math.floor(this.#timeoutMilliseconds * 0.8))}`,
      );
      return { client, session: sessionOf(client) };
    } catch (cause) {
      throw new NoSession(`there is no session as ${kind}`, { cause });
    }
  }
}

function sessionOf(client: Client): Session {
  let last: Promise<unknown> = Promise.resolve();
  return {
    async query<Row extends object>(sql: string): Promise<Row[]> {
      const result = last.then(() => client.query<Row>(sql));
      last = result.catch(() => {});
      return (await result).rows;
    },
  };
}
