import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { Refusal } from "../failure.ts";
import { derive } from "../logical/sealed.ts";

/**
 * A file that grows, encrypted in frames that each stand for themselves: what is torn at its end costs no more than that.
 * Each is authenticated with its segment and its place in it. AES-256-GCM, the key by scrypt from the stack's own.
 *
 * Form: 8 bytes of name and version, 16 of salt; then for each frame 4 bytes of length, 12 of nonce, 16 of authentication,
 * the content.
 */
const NAME = Buffer.from("PGTAIL01");
const SALT_BYTES = 16;
const HEAD_BYTES = NAME.length + SALT_BYTES;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FRAME_HEAD_BYTES = 4 + NONCE_BYTES + TAG_BYTES;

/** Encrypts what one session receives: the key is derived once. */
export class FrameSealer {
  readonly head: Buffer;
  readonly #secret: Buffer;

  constructor(key: Buffer) {
    const salt = randomBytes(SALT_BYTES);
    this.head = Buffer.concat([NAME, salt]);
    this.#secret = derive(key, salt);
  }

  /** @param offset Bytes of content before it in the segment. */
  frame(segment: string, offset: number, content: Buffer): Buffer {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(content.length);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#secret, nonce).setAAD(place(segment, offset));
    const sealed = Buffer.concat([cipher.update(content), cipher.final()]);
    return Buffer.concat([length, nonce, cipher.getAuthTag(), sealed]);
  }
}

/** How many bytes of content the whole frames of a file hold. */
export function contentBytes(file: Buffer): number {
  let bytes = 0;
  for (const { content } of framesOf(file)) bytes += content.length;
  return bytes;
}

/**
 * The content up to the first frame that is not whole: what a power cut left at the end was never confirmed to the server.
 *
 * @throws Refusal when the key is another one.
 */
export function openFrames(key: Buffer, segment: string, file: Buffer): Buffer {
  if (file.length < HEAD_BYTES) return Buffer.alloc(0);
  const secret = derive(key, file.subarray(NAME.length, HEAD_BYTES));
  const pieces: Buffer[] = [];
  let offset = 0;
  for (const { nonce, tag, content } of framesOf(file)) {
    const decipher = createDecipheriv("aes-256-gcm", secret, nonce)
      .setAAD(place(segment, offset))
      .setAuthTag(tag);
    try {
      pieces.push(Buffer.concat([decipher.update(content), decipher.final()]));
    } catch {
      if (offset === 0)
        throw new Refusal(`the received log ${segment} cannot be read with the encryption key`);
      break;
    }
    offset += content.length;
  }
  return Buffer.concat(pieces);
}

function* framesOf(file: Buffer): Generator<{ nonce: Buffer; tag: Buffer; content: Buffer }> {
  if (!file.subarray(0, NAME.length).equals(NAME)) return;
  for (let at = HEAD_BYTES; at + FRAME_HEAD_BYTES <= file.length; ) {
    const tagAt = at + 4 + NONCE_BYTES;
    const contentAt = at + FRAME_HEAD_BYTES;
    const end = contentAt + file.readUInt32BE(at);
    if (end > file.length) return;
    yield {
      nonce: file.subarray(at + 4, tagAt),
      tag: file.subarray(tagAt, contentAt),
      content: file.subarray(contentAt, end),
    };
    at = end;
  }
}

function place(segment: string, offset: number): Buffer {
  return Buffer.from(`${segment}/${offset}`);
}
