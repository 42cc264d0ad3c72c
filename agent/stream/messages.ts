/**
 * The part of PostgreSQL's protocol that it takes to receive the write-ahead log.
 * https://www.postgresql.org/docs/16/protocol-replication.html
 */

/** A message of the server. */
export interface Message {
  /** One letter. */
  readonly type: string;
  readonly body: Buffer;
}

/** What the server sends while it streams. */
export type StreamMessage =
  | { readonly kind: "log"; readonly start: bigint; readonly data: Buffer }
  | { readonly kind: "keepalive"; readonly replyWanted: boolean };

const PROTOCOL_VERSION = 0x30000;
const HEAD_BYTES = 5;
const LOG_HEAD_BYTES = 25;
/** Microseconds between 1970 and 2000, from which PostgreSQL counts. */
const EPOCH = 946_684_800_000_000n;

/** The first message of a connection. */
export function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const body = Buffer.from(`${Object.entries(parameters).flat().join("\0")}\0\0`);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(head.length + body.length, 0);
  head.writeUInt32BE(PROTOCOL_VERSION, 4);
  return Buffer.concat([head, body]);
}

/** A simple query, or a replication command. */
export function queryMessage(sql: string): Buffer {
  return message("Q", Buffer.from(`${sql}\0`));
}

/** Tells the server how far the log was written and how far it is safe: what is safe it may remove. */
export function statusMessage(written: bigint, flushed: bigint, now = Date.now()): Buffer {
  const body = Buffer.alloc(34);
  body.write("r", 0, "latin1");
  body.writeBigUInt64BE(written, 1);
  body.writeBigUInt64BE(flushed, 9);
  // Bytes 17 to 24, what was applied, stay 0: nothing is.
  body.writeBigInt64BE(BigInt(now) * 1_000n - EPOCH, 25);
  return message("d", body);
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(type, 0, "latin1");
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** Cuts what comes from the server into messages. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);

  push(piece: Buffer): Message[] {
    let rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const messages: Message[] = [];
    while (rest.length >= HEAD_BYTES) {
      const length = rest.readUInt32BE(1) + 1;
      if (rest.length < length) break;
      messages.push({ type: rest.toString("latin1", 0, 1), body: rest.subarray(HEAD_BYTES, length) });
      rest = rest.subarray(length);
    }
    this.#rest = rest;
    return messages;
  }
}

/** Reads the content of a CopyData message of a walsender; undefined: of a kind that asks for nothing. */
export function parseStreamMessage(body: Buffer): StreamMessage | undefined {
  switch (body.toString("latin1", 0, 1)) {
    case "w":
      return { kind: "log", start: body.readBigUInt64BE(1), data: body.subarray(LOG_HEAD_BYTES) };
    case "k":
      return { kind: "keepalive", replyWanted: body[17] === 1 };
    default:
      return undefined;
  }
}

/** The columns of a DataRow message as text; empty for NULL. */
export function parseRow(body: Buffer): string[] {
  const columns: string[] = [];
  let offset = 2;
  for (let left = body.readUInt16BE(0); left > 0; left -= 1) {
    const length = Math.max(0, body.readInt32BE(offset));
    columns.push(body.toString("utf8", offset + 4, offset + 4 + length));
    offset += 4 + length;
  }
  return columns;
}

/** The text of an ErrorResponse message. */
export function parseError(body: Buffer): string {
  const fields = body.toString("utf8").split("\0");
  return fields.find((field) => field.startsWith("M"))?.slice(1) ?? "the server refused without a word";
}
