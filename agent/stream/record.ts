import { SEGMENT_BYTES } from "../physical/segments.ts";

/**
 * The least that must be known of the log's form to tell whether replay came to its end: pages, and that a record begins
 * with its length.
 * Source: src/include/access/xlogrecord.h and xlog_internal.h
 */
const PAGE_BYTES = 8192;
const PAGE_HEAD_BYTES = 24;
const SEGMENT_HEAD_BYTES = 40;
const RECORD_HEAD_BYTES = 24;

/**
 * Whether the record that begins at a place is there to its last byte.
 *
 * @param offset Bytes from the start of `content`, which begins with a segment.
 * @param content What there is of the log from there on, over the ends of segments.
 */
export function isRecordWhole(content: Buffer, offset: number): boolean {
  let at = afterHead(offset);
  if (at + 4 > content.length) return false;
  let rest = content.readUInt32LE(at);
  // Zeros: nothing was written there yet.
  if (rest === 0) return false;
  // No record: where something is there that makes no sense, replay ends before its end.
  if (rest < RECORD_HEAD_BYTES) return true;
  for (;;) {
    const room = PAGE_BYTES - (at % PAGE_BYTES);
    if (rest <= room) return at + rest <= content.length;
    rest -= room;
    at = afterHead(at + room);
    if (at > content.length) return false;
  }
}

function afterHead(at: number): number {
  if (at % SEGMENT_BYTES === 0) return at + SEGMENT_HEAD_BYTES;
  return at % PAGE_BYTES === 0 ? at + PAGE_HEAD_BYTES : at;
}
