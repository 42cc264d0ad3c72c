import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf } from "../failure.ts";
import { requireOwnFolder } from "../identity.ts";
import { archiveHistory } from "../lineage/reconcile.ts";
import { readKey } from "../logical/sealed.ts";
import { lsnText, SEGMENT_BYTES, segmentName } from "../physical/segments.ts";
import { ReplicationConnection } from "./connection.ts";
import { type ReceivedSegment, receivedBytes, receivedSegments, streamRoot } from "./folder.ts";
import { writeMark } from "./mark.ts";
import type { StreamMessage } from "./messages.ts";
import { FrameSealer } from "./sealing.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { SLOT, type StreamPosition, streamStart } from "./slot.ts";
import { tidyStream } from "./tidy.ts";

const RECONNECT_MILLISECONDS = 1_000;
/** What was received is on the disk after this long at the latest. */
const SYNC_MILLISECONDS = 1_000;
const TIDY_MILLISECONDS = 5_000;

/** Whether the log is being received: then the server answers and is not in recovery. */
export interface Presence {
  receiving: boolean;
}

/**
 * Receives the write-ahead log from the server as it is written, into the backup place, until the agent stops. So the last
 * commits are there long before their segment is full and archived.
 */
export async function receiveLog(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
  say: (text: string) => void,
  presence: Presence = { receiving: false },
): Promise<void> {
  const { signal } = context;
  let said = "";
  const sayOnce = (text: string) => {
    if (text !== said) say(text);
    said = text;
  };
  while (!signal.aborted) {
    try {
      await receiveOnce(configuration, context, sayOnce, presence);
    } catch (error) {
      if (!signal.aborted) sayOnce(`the write-ahead log is not received: ${messageOf(error)}`);
    }
    await delay(RECONNECT_MILLISECONDS, undefined, { signal }).catch(() => {});
  }
}

async function receiveOnce(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
  say: (text: string) => void,
  presence: Presence,
): Promise<void> {
  // A wrong mount is not written to.
  await requireOwnFolder(configuration);
  const connection = await ReplicationConnection.open(configuration, context.signal);
  let reception: Reception | undefined;
  try {
    const start = await streamStart(connection, configuration, say);
    if (start === undefined) return;
    // Before its log: recovery follows no timeline whose history it does not find.
    await archiveHistory(configuration, start.timeline, context);
    reception = await Reception.begin(configuration, connection, start);
    say(`the write-ahead log is received from ${lsnText(start.lsn)} on timeline ${start.timeline}`);
    const from = { slot: SLOT, from: lsnText(start.lsn), timeline: start.timeline };
    presence.receiving = true;
    for await (const batch of connection.stream(from)) await reception.take(batch, context);
  } catch (error) {
    // What ended the connection from this side is the cause.
    throw reception?.failure ?? error;
  } finally {
    presence.receiving = false;
    connection.close();
    await reception?.end();
  }
}

/** One connection's work on the files. */
class Reception {
  /** Why what was written could not be made safe; undefined: it could. */
  failure: unknown;
  readonly #configuration: AgentConfiguration;
  readonly #connection: ReplicationConnection;
  readonly #systemIdentifier: string;
  readonly #timeline: number;
  readonly #sealer: FrameSealer | undefined;
  readonly #standing: Map<string, ReceivedSegment>;
  #writer: SegmentWriter | undefined;
  #position: bigint;
  /** What was confirmed to the server last. */
  #safe: bigint;
  #timer: NodeJS.Timeout | undefined;
  #tidyAt = 0;
  #tidying: Promise<void> | undefined;
  /** The files are worked on by one at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    configuration: AgentConfiguration,
    connection: ReplicationConnection,
    { systemIdentifier, timeline, lsn }: StreamPosition,
    sealer: FrameSealer | undefined,
    standing: readonly ReceivedSegment[],
  ) {
    this.#configuration = configuration;
    this.#connection = connection;
    this.#systemIdentifier = systemIdentifier;
    this.#timeline = timeline;
    this.#position = lsn;
    this.#safe = lsn;
    this.#sealer = sealer;
    this.#standing = new Map(standing.map((segment) => [segment.name, segment]));
  }

  static async begin(
    configuration: AgentConfiguration,
    connection: ReplicationConnection,
    start: StreamPosition,
  ): Promise<Reception> {
    const { encrypted, keyFile } = configuration.logical;
    const sealer = encrypted ? new FrameSealer(await readKey(keyFile)) : undefined;
    const standing = await receivedSegments(configuration, start.systemIdentifier);
    return new Reception(configuration, connection, start, sealer, standing);
  }

  /** Writes what came, and answers the server. */
  async take(batch: readonly StreamMessage[], context: Pick<Context, "signal">): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    const log = batch.filter((message) => message.kind === "log");
    const [first] = log;
    if (first !== undefined) {
      if (first.start !== this.#position) {
        throw new Error(`the server sent ${lsnText(first.start)} where ${lsnText(this.#position)} goes on`);
      }
      await this.#inTurn(() => this.#write(Buffer.concat(log.map(({ data }) => data))));
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#inTurn(() => this.#sync()).catch((error: unknown) => {
          this.failure = error;
          this.#connection.close();
        });
      }, SYNC_MILLISECONDS);
    }
    if (batch.some((message) => message.kind === "keepalive" && message.replyWanted)) {
      await this.#inTurn(() => this.#sync());
      this.#connection.confirm(this.#position, this.#safe);
    }
    this.#tidy(context);
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#inTurn(async () => this.#writer?.close()).catch(() => {});
    await this.#tidying;
  }

  async #write(content: Buffer): Promise<void> {
    for (let rest = content; rest.length > 0; ) {
      const number = Number(this.#position / BigInt(SEGMENT_BYTES));
      this.#writer ??= await this.#open(segmentName(this.#timeline, number));
      const piece = rest.subarray(0, SEGMENT_BYTES - this.#writer.bytes);
      await this.#writer.append(piece);
      this.#position += BigInt(piece.length);
      rest = rest.subarray(piece.length);
      if (this.#writer.bytes === SEGMENT_BYTES) await this.#finish(this.#writer);
    }
  }

  async #open(name: string): Promise<SegmentWriter> {
    const there = this.#standing.get(name);
    const standing = there && { path: there.path, bytes: await receivedBytes(there) };
    return SegmentWriter.open({
      folder: join(streamRoot(this.#configuration), this.#systemIdentifier),
      name,
      ...(this.#sealer === undefined ? {} : { sealer: this.#sealer }),
      ...(standing === undefined ? {} : { standing }),
    });
  }

  async #finish(writer: SegmentWriter): Promise<void> {
    await this.#sync();
    await writer.close();
    this.#writer = undefined;
  }

  async #sync(): Promise<void> {
    if (this.#position === this.#safe) return;
    const [position, writer] = [this.#position, this.#writer];
    // A file that an earlier connection has left holds more, and was confirmed then.
    if (writer === undefined || !(await writer.sync())) return;
    this.#safe = position;
    this.#connection.confirm(position, position);
    // A mark that fails to be written is an old one: the health check tells.
    await writeMark({ lsn: lsnText(position), path: writer.path, bytes: writer.fileBytes }).catch(() => {});
  }

  #tidy(context: Pick<Context, "signal">): void {
    if (this.#tidying !== undefined || performance.now() < this.#tidyAt) return;
    this.#tidyAt = performance.now() + TIDY_MILLISECONDS;
    const current = { systemIdentifier: this.#systemIdentifier, timeline: this.#timeline };
    // It is not what the log waits for, and is tried again.
    this.#tidying = tidyStream(this.#configuration, current, context)
      .catch(() => {})
      .finally(() => {
        this.#tidying = undefined;
      });
  }

  async #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const before = this.#turn;
    const done = before.catch(() => {}).then(work);
    this.#turn = done;
    return done;
  }
}
