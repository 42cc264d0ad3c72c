import type { Readable } from "node:stream";

/** Stream type (1 byte: 1 standard output, 2 standard error), 3 zero bytes, length (4 bytes, big endian). */
const HEADER_BYTES = 8;
const STANDARD_ERROR = 2;

/**
 * Splits the engine's multiplexed stream of a container without a terminal, until it ends.
 *
 * @see https://docs.docker.com/reference/api/engine/version/v1.45/#tag/Container/operation/ContainerAttach
 */
export async function demultiplex(
  stream: Readable,
  onOutput: (chunk: Buffer) => void,
  onError: (chunk: Buffer) => void,
): Promise<void> {
  const feed = demultiplexer(onOutput, onError);
  for await (const chunk of stream) feed(chunk as Buffer);
}

/** The same for chunks that the caller reads; a frame is passed on piece by piece as it arrives. */
export function demultiplexer(
  onOutput: (chunk: Buffer) => void,
  onError: (chunk: Buffer) => void,
): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  let remaining = 0;
  let deliver = onOutput;
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length > 0) {
      if (remaining === 0) {
        if (pending.length < HEADER_BYTES) return;
        deliver = pending[0] === STANDARD_ERROR ? onError : onOutput;
        remaining = pending.readUInt32BE(4);
        pending = pending.subarray(HEADER_BYTES);
        continue;
      }
      const piece = pending.subarray(0, remaining);
      pending = pending.subarray(piece.length);
      remaining -= piece.length;
      deliver(piece);
    }
  };
}
