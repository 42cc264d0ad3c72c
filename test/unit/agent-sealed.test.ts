import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { seal, unseal } from "../../agent/logical/sealed.ts";

const KEY = Buffer.from("a key of the stack");

async function* pieces(content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < content.length; start += size) yield content.subarray(start, start + size);
}

async function all(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const found: Buffer[] = [];
  for await (const piece of source) found.push(piece);
  return Buffer.concat(found);
}

const sealed = (content: Buffer) => all(seal(KEY, pieces(content, 10_007)));
const opened = (content: Buffer, key = KEY) => all(unseal(key, pieces(content, 8_191)));

describe("L6 encrypted dumps", () => {
  test.each([0, 1, 262_143, 262_144, 262_145, 1_500_000])(
    "L6 %i bytes come back as they were",
    async (bytes) => {
      const content = randomBytes(bytes);
      expect((await opened(await sealed(content))).equals(content)).toBe(true);
    },
  );

  test("L6 nothing of the content is to be seen, and the same content never looks the same", async () => {
    const content = Buffer.alloc(300_000, "secret row ");
    const [one, other] = [await sealed(content), await sealed(content)];
    expect(one.includes("secret")).toBe(false);
    expect(one.equals(other)).toBe(false);
  });

  test("L6 F28 another key is refused at the first frame", async () => {
    await expect(opened(await sealed(randomBytes(600_000)), Buffer.from("another"))).rejects.toThrow(
      "the encryption key is not the one that the backup was made with",
    );
  });

  test.each([
    ["a changed byte", (content: Buffer) => content.fill(content.readUInt8(400_000) ^ 1, 400_000, 400_001)],
    ["a cut end", (content: Buffer) => content.subarray(0, -1)],
    ["a missing last frame", (content: Buffer) => content.subarray(0, 24 + 2 * (21 + 262_144))],
    [
      "an earlier frame that was made the last one",
      (content: Buffer) => {
        const short = Buffer.from(content.subarray(0, 24 + 2 * (21 + 262_144)));
        short.writeUInt8(1, 24 + 21 + 262_144 + 4);
        return short;
      },
    ],
    [
      "a last frame that is none any more",
      (content: Buffer) => {
        content.writeUInt8(0, 24 + 2 * (21 + 262_144) + 4);
        return content;
      },
    ],
    ["something added", (content: Buffer) => Buffer.concat([content, Buffer.from("x")])],
    [
      "two frames that changed places",
      (content: Buffer) => {
        const frame = 21 + 262_144;
        const [head, one, two] = [content.subarray(0, 24), 24 + frame, 24 + 2 * frame];
        return Buffer.concat([
          head,
          content.subarray(one, two),
          content.subarray(24, one),
          content.subarray(two),
        ]);
      },
    ],
  ])("L6 F19 %s is found", async (_what, harm) => {
    await expect(opened(harm(await sealed(randomBytes(700_000))))).rejects.toThrow(/backup/);
  });
});
