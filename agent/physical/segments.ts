/** Bytes of a segment of the write-ahead log, as initdb makes them: 16 MB. */
export const SEGMENT_BYTES = 16 * 1024 ** 2;

/** Number of the segment, whatever its timeline. With segments of 16 MB the last eight digits count to 255. */
export function segmentNumber(segment: string): number {
  return Number.parseInt(segment.slice(8, 16), 16) * 256 + Number.parseInt(segment.slice(16, 24), 16);
}

/** Timeline of a segment, by its name. */
export function segmentTimeline(segment: string): number {
  return Number.parseInt(segment.slice(0, 8), 16);
}

/** Name of a segment. */
export function segmentName(timeline: number, number: number): string {
  return [timeline, Math.floor(number / 256), number % 256].map(hex).join("");
}

/** Name of a timeline's history file. */
export function historyName(timeline: number): string {
  return `${hex(timeline)}.history`;
}

/** An LSN as a number that can be compared. */
export function lsnNumber(lsn: string): bigint {
  const [high = "0", low = "0"] = lsn.split("/");
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** Folder of the archive that a segment is in, with 255 others: the first 16 letters of its name. */
export function archiveFolder(segment: string): string {
  return segment.slice(0, 16);
}

/** A place in the log as PostgreSQL writes it. */
export function lsnText(lsn: bigint): string {
  return [lsn >> 32n, lsn & 0xffff_ffffn].map((half) => half.toString(16).toUpperCase()).join("/");
}

/** LSN of the first byte of a segment, by its number. */
export function segmentStart(number: number): bigint {
  return BigInt(number) * BigInt(SEGMENT_BYTES);
}

/** Number of the segment that holds the byte at an LSN. */
export function segmentAt(lsn: string): number {
  return Number(lsnNumber(lsn) / BigInt(SEGMENT_BYTES));
}

/** Number of the last segment that has anything before an LSN. */
export function segmentBefore(lsn: string): number {
  return Number((lsnNumber(lsn) - 1n) / BigInt(SEGMENT_BYTES));
}

/** The segment after one, on the same timeline. */
export function nextSegment(segment: string): string {
  return segmentName(segmentTimeline(segment), segmentNumber(segment) + 1);
}

/** The segments from one to another one of the same timeline, both with them. */
export function segmentsBetween(first: string, last: string): string[] {
  const from = segmentNumber(first);
  const length = Math.max(0, segmentNumber(last) - from + 1);
  return Array.from({ length }, (_, index) => segmentName(segmentTimeline(first), from + index));
}

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}
