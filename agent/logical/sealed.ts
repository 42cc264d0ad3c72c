import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Refusal } from "../failure.ts";

/**
 * A stream encrypted in frames, each authenticated with its place and whether it is the last, so that a changed, torn,
 * reordered or shortened file is found: AES-256-GCM, the key by scrypt from the stack's own.
 *
 * Form: 8 bytes of name and version, 16 of salt; then for each frame 4 bytes of length, 1 that tells the last, 16 of
 * authentication, the content.
 */
const NAME = Buffer.from("PGSEAL01");
const SALT_BYTES = 16;
const HEAD_BYTES = 5;
const TAG_BYTES = 16;
const FRAME_BYTES = 256 * 1024;

/** Reads what backups are encrypted with. */
export async function readKey(keyFile: string): Promise<Buffer> {
  return Buffer.from((await readFile(keyFile, "utf8")).trim(), "utf8");
}

/** Encrypts a stream. */
export async function* seal(key: Buffer, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const salt = randomBytes(SALT_BYTES);
  const secret = derive(key, salt);
  yield Buffer.concat([NAME, salt]);
  let counter = 0;
  let held: Buffer | undefined;
  for await (const frame of frames(source)) {
    if (held !== undefined) yield sealFrame(secret, held, counter++, false);
    held = frame;
  }
  yield sealFrame(secret, held ?? Buffer.alloc(0), counter, true);
}

/**
 * Decrypts a stream that {@link seal} made.
 *
 * @throws Refusal when the key is another one; Error when the content was changed or ends too early.
 */
export async function* unseal(key: Buffer, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const reader = new Reader(source);
  const head = await reader.take(NAME.length + SALT_BYTES);
  if (!head.subarray(0, NAME.length).equals(NAME))
    throw new Error("it is not an encrypted backup of this stack's");
  const secret = derive(key, head.subarray(NAME.length));
  for (let counter = 0; ; counter += 1) {
    const start = await reader.take(HEAD_BYTES + TAG_BYTES);
    const last = start[4] === 1;
    const length = start.readUInt32BE(0);
    if (length > FRAME_BYTES) throw new Error("the encrypted backup is damaged");
    const content = await reader.take(length);
    yield openFrame(secret, start, content, counter);
    if (last) break;
  }
  if (!(await reader.atEnd())) throw new Error("the encrypted backup has more behind its end");
}

function sealFrame(secret: Buffer, content: Buffer, counter: number, last: boolean): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(content.length, 0);
  head[4] = last ? 1 : 0;
  const cipher = createCipheriv("aes-256-gcm", secret, nonce(counter)).setAAD(head);
  const sealed = Buffer.concat([cipher.update(content), cipher.final()]);
  return Buffer.concat([head, cipher.getAuthTag(), sealed]);
}

function openFrame(secret: Buffer, start: Buffer, content: Buffer, counter: number): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", secret, nonce(counter))
    .setAAD(start.subarray(0, HEAD_BYTES))
    .setAuthTag(start.subarray(HEAD_BYTES));
  try {
    return Buffer.concat([decipher.update(content), decipher.final()]);
  } catch {
    if (counter === 0) throw new Refusal("the encryption key is not the one that the backup was made with");
    throw new Error(`the encrypted backup is damaged near byte ${counter * FRAME_BYTES} of its content`);
  }
}

/** The key of one file or session, from the stack's own and a salt. */
export function derive(key: Buffer, salt: Buffer): Buffer {
  return scryptSync(key, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 ** 2 });
}

/** Each file has a key of its own by its salt, so a count is enough. */
function nonce(counter: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(BigInt(counter), 4);
  return bytes;
}

async function* frames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of source) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < FRAME_BYTES) continue;
    let all = Buffer.concat(pieces);
    for (; all.length >= FRAME_BYTES; all = all.subarray(FRAME_BYTES)) yield all.subarray(0, FRAME_BYTES);
    pieces = [all];
    bytes = all.length;
  }
  if (bytes > 0) yield Buffer.concat(pieces);
}

/** Takes exact numbers of bytes from a stream. */
class Reader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async take(bytes: number): Promise<Buffer> {
    while (this.#rest.length < bytes) {
      const { value, done } = await this.#source.next();
      if (done) throw new Error("the encrypted backup ends too early");
      this.#rest = Buffer.concat([this.#rest, value]);
    }
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }

  async atEnd(): Promise<boolean> {
    return this.#rest.length === 0 && (await this.#source.next()).done === true;
  }
}
