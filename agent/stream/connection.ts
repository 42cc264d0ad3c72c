import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { Refusal } from "../failure.ts";
import { clientEnvironment, type Server } from "../sql.ts";
import {
  type Message,
  MessageReader,
  parseError,
  parseRow,
  parseStreamMessage,
  queryMessage,
  type StreamMessage,
  startupMessage,
  statusMessage,
} from "./messages.ts";

/** Where a stream begins. */
export interface StreamStart {
  readonly slot: string;
  /** LSN. */
  readonly from: string;
  readonly timeline: number;
}

/** A connection to the server's walsender by its socket, as the superuser: replication commands and SQL. */
export class ReplicationConnection {
  readonly #socket: Socket;
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #reader = new MessageReader();
  readonly #signal: AbortSignal;
  readonly #abort = () => this.close();
  #messages: Message[] = [];

  private constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    signal.addEventListener("abort", this.#abort, { once: true });
    // Whoever reads is told.
    socket.on("error", () => {});
    this.#pieces = socket[Symbol.asyncIterator]();
  }

  /**
   * Signs in. `replication=database` matches the ordinary line of the superuser in pg_hba.conf, so that the one for physical
   * replication can go on refusing everybody.
   */
  static async open(server: Server, signal: AbortSignal): Promise<ReplicationConnection> {
    signal.throwIfAborted();
    const { PGUSER = "", PGDATABASE = "", PGOPTIONS = "" } = clientEnvironment(server);
    const socket = createConnection({ path: join(server.socketDirectory, `.s.PGSQL.${server.port}`) });
    const connection = new ReplicationConnection(socket, signal);
    socket.write(
      startupMessage({
        ...{ user: PGUSER, database: PGDATABASE, replication: "database", options: PGOPTIONS },
        ...{ application_name: "pgstack agent", client_encoding: "UTF8" },
      }),
    );
    try {
      await connection.#untilReady();
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  /** The rows of one statement. */
  async rows(sql: string): Promise<string[][]> {
    this.#socket.write(queryMessage(sql));
    return this.#untilReady();
  }

  /** The log from a place on, in batches as they come; ends when the server ends the stream in order. */
  async *stream({ slot, from, timeline }: StreamStart): AsyncGenerator<StreamMessage[]> {
    this.#socket.write(
      queryMessage(`START_REPLICATION SLOT "${slot}" PHYSICAL ${from} TIMELINE ${timeline}`),
    );
    for (;;) {
      const batch: StreamMessage[] = [];
      for (const { type, body } of await this.#next()) {
        if (type === "E") throw new Error(parseError(body));
        if (type === "c") return;
        const message = type === "d" ? parseStreamMessage(body) : undefined;
        if (message !== undefined) batch.push(message);
      }
      yield batch;
    }
  }

  /** Tells the server what was written and what is safe. */
  confirm(written: bigint, flushed: bigint): void {
    this.#socket.write(statusMessage(written, flushed));
  }

  close(): void {
    this.#signal.removeEventListener("abort", this.#abort);
    this.#socket.destroy();
  }

  async #untilReady(): Promise<string[][]> {
    const rows: string[][] = [];
    for (;;) {
      const messages = await this.#next();
      for (const [index, { type, body }] of messages.entries()) {
        if (type === "E") throw new Error(parseError(body));
        // The stack's pg_hba.conf lets the superuser in as the operating system's user: no other way is asked for here.
        if (type === "R" && body.readUInt32BE(0) !== 0)
          throw new Refusal("the server asks for a password of its superuser");
        if (type === "D") rows.push(parseRow(body));
        if (type === "Z") {
          this.#messages = messages.slice(index + 1);
          return rows;
        }
      }
    }
  }

  async #next(): Promise<Message[]> {
    for (;;) {
      const messages = this.#messages;
      this.#messages = [];
      if (messages.length > 0) return messages;
      const { value, done } = await this.#pieces.next().catch((error: unknown) => {
        throw new Refusal("the server does not answer", { cause: error });
      });
      if (done) throw new Refusal("the server has ended the connection");
      this.#messages = this.#reader.push(value);
    }
  }
}
