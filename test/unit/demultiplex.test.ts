import fc from "fast-check";
import { expect, test } from "vitest";
import { demultiplexer } from "../../operations/execute/demultiplex.ts";

test("P4 output of a container comes out whole however the network cuts it", () => {
  const frame = fc.record({ type: fc.constantFrom(1, 2), text: fc.string({ maxLength: 50 }) });
  fc.assert(
    fc.property(
      fc.array(frame),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (frames, cuts) => {
        const wire = Buffer.concat(
          frames.flatMap(({ type, text }) => {
            const header = Buffer.alloc(8);
            header[0] = type;
            header.writeUInt32BE(Buffer.byteLength(text), 4);
            return [header, Buffer.from(text)];
          }),
        );
        const received: [Buffer[], Buffer[]] = [[], []];
        const feed = demultiplexer(
          (piece) => received[0].push(piece),
          (piece) => received[1].push(piece),
        );
        for (let at = 0, turn = 0; at < wire.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          feed(wire.subarray(at, at + size));
          at += size;
        }
        for (const type of [1, 2] as const) {
          const sent = frames.filter((one) => one.type === type).map((one) => one.text);
          expect(Buffer.concat(received[type - 1] ?? []).toString()).toBe(sent.join(""));
        }
      },
    ),
  );
});
