import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Chain } from "../../agent/lineage/chain.ts";
import { SEGMENT_BYTES } from "../../agent/physical/segments.ts";
import {
  receivedBytes,
  receivedContent,
  receivedSegments,
  receivedUntil,
} from "../../agent/stream/folder.ts";
import { MessageReader, parseStreamMessage, statusMessage } from "../../agent/stream/messages.ts";
import { isRecordWhole } from "../../agent/stream/record.ts";
import { FrameSealer, openFrames } from "../../agent/stream/sealing.ts";
import { SegmentWriter } from "../../agent/stream/segment-writer.ts";
import { streamStart } from "../../agent/stream/slot.ts";
import { stageReceived } from "../../agent/stream/stage.ts";

const KEY = Buffer.from("a key of the stack");
const SEGMENT = "000000010000000000000003";
const CLUSTER = "7000000000000000001";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pgstack-stream-"));
  await writeFile(join(folder, "key"), KEY);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const configuration = () => ({
  backupDirectory: folder,
  logical: { encrypted: true, keyFile: join(folder, "key") },
});
const place = () => join(folder, "stream", CLUSTER);

/** Receives contents into a segment's file, as one connection does. */
async function receive(
  name: string,
  contents: readonly Buffer[],
  { sealer, again = false }: { readonly sealer?: FrameSealer; readonly again?: boolean } = {},
): Promise<void> {
  const standing = again
    ? (await receivedSegments(configuration(), CLUSTER)).find((segment) => segment.name === name)
    : undefined;
  const writer = await SegmentWriter.open({
    ...{ folder: place(), name },
    ...(sealer === undefined ? {} : { sealer }),
    ...(standing === undefined
      ? {}
      : { standing: { path: standing.path, bytes: await receivedBytes(standing) } }),
  });
  for (const content of contents) await writer.append(content);
  await writer.sync();
  await writer.close();
}

async function content(name = SEGMENT): Promise<Buffer> {
  const found = (await receivedSegments(configuration(), CLUSTER)).find((segment) => segment.name === name);
  if (found === undefined) throw new Error(`nothing was received of ${name}`);
  return receivedContent(configuration(), found);
}

describe("messages of the server", () => {
  const log = Buffer.alloc(1 + 4 + 25 + 3);
  log.write("d", 0);
  log.writeUInt32BE(4 + 25 + 3, 1);
  log.write("w", 5);
  log.writeBigUInt64BE(0x3000028n, 6);
  log.write("abc", 30);

  test.each([1, 2, 7, 1000])("come out the same when they arrive in pieces of %i bytes", (bytes) => {
    const both = Buffer.concat([log, log]);
    const reader = new MessageReader();
    const found = [];
    for (let at = 0; at < both.length; at += bytes) found.push(...reader.push(both.subarray(at, at + bytes)));
    expect(found.map(({ type, body }) => [type, parseStreamMessage(body)])).toEqual([
      ["d", { kind: "log", start: 0x3000028n, data: Buffer.from("abc") }],
      ["d", { kind: "log", start: 0x3000028n, data: Buffer.from("abc") }],
    ]);
  });

  test("what is safe is told apart from what was only written, at a time from 2000 on", () => {
    const body = statusMessage(0x20n, 0x10n, Date.UTC(2000, 0, 1) + 1).subarray(5);
    expect([body.readBigUInt64BE(1), body.readBigUInt64BE(9), body.readBigUInt64BE(17)]).toEqual([
      0x20n,
      0x10n,
      0n,
    ]);
    expect(body.readBigInt64BE(25)).toBe(1_000n);
  });
});

describe("the file of a segment", () => {
  test.each([
    ["plain", undefined],
    ["encrypted", new FrameSealer(KEY)],
  ])("%s, comes back as it was received, however small the pieces", async (_, sealer) => {
    const pieces = [randomBytes(1), randomBytes(8_192), randomBytes(300_001), randomBytes(3)];
    await receive(SEGMENT, pieces, sealer === undefined ? {} : { sealer });
    expect((await content()).equals(Buffer.concat(pieces))).toBe(true);
    const until = await receivedUntil(configuration(), { systemIdentifier: CLUSTER, timeline: 1 });
    expect(until?.lsn).toBe(3n * BigInt(SEGMENT_BYTES) + 308_197n);
    expect(await receivedUntil(configuration(), { systemIdentifier: CLUSTER, timeline: 2 })).toBeUndefined();
  });

  test("encrypted, shows nothing of its content, and costs what was torn at its end and no more", async () => {
    await receive(SEGMENT, [Buffer.from("secret row"), Buffer.from("another")], {
      sealer: new FrameSealer(KEY),
    });
    const path = join(place(), `${SEGMENT}.sealed`);
    const file = await readFile(path);
    expect(file.includes("secret")).toBe(false);
    await truncate(path, file.length - 1);
    expect(String(await content())).toBe("secret row");
    await truncate(path, 10);
    expect(String(await content())).toBe("");
  });

  test("encrypted, ends before a frame that was changed or moved; another key is refused", async () => {
    const sealer = new FrameSealer(KEY);
    const [one, two] = [
      sealer.frame(SEGMENT, 0, Buffer.from("one")),
      sealer.frame(SEGMENT, 3, Buffer.from("two")),
    ];
    const opened = (...frames: Buffer[]) =>
      String(openFrames(KEY, SEGMENT, Buffer.concat([sealer.head, ...frames])));
    expect(opened(one, two)).toBe("onetwo");
    expect(opened(one, one)).toBe("one");
    expect(opened(one, sealer.frame("000000010000000000000004", 3, Buffer.from("two")))).toBe("one");
    const changed = Buffer.from(two);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    expect(opened(one, changed)).toBe("one");
    const whole = Buffer.concat([sealer.head, one]);
    expect(() => openFrames(Buffer.from("another key"), SEGMENT, whole)).toThrow(
      /cannot be read with the encryption key/,
    );
  });

  test("stands until more than it holds was received again, also in the other form", async () => {
    await receive(SEGMENT, [Buffer.from("received before")]);
    const sealer = new FrameSealer(KEY);
    await receive(SEGMENT, [Buffer.from("received")], { sealer, again: true });
    expect(String(await content())).toBe("received before");
    await receive(SEGMENT, [Buffer.from("received"), Buffer.from(" before, and more")], {
      sealer,
      again: true,
    });
    expect(String(await content())).toBe("received before, and more");
    expect(await readdir(place())).toEqual([`${SEGMENT}.sealed`]);
  });
});

describe("where the stream begins", () => {
  const FORK = "1\t0/5000200\tno recovery target specified\n";
  const answers = (timeline: string, slots: string[][], created: string) => {
    const asked: string[] = [];
    const rows = async (sql: string): Promise<string[][]> => {
      asked.push(sql);
      if (/is_in_recovery/.test(sql)) return [["f"]];
      if (/IDENTIFY_SYSTEM/.test(sql)) return [[CLUSTER, timeline, "0/6000000", "postgres"]];
      if (/TIMELINE_HISTORY/.test(sql)) return [["00000002.history", FORK]];
      if (/FROM pg_catalog.pg_replication_slots/.test(sql)) return slots;
      return /create_physical/.test(sql) ? [[created]] : [[]];
    };
    return { asked, connection: { rows } };
  };

  test.each([
    ["the segment of which something was not confirmed", "1", [["0/3000F00", "reserved"]], "", 3],
    ["not before the fork of the timeline", "2", [["0/2000F00", "reserved"]], "", 5],
    ["what a new slot holds", "1", [], "0/4000028", 4],
    ["what a new slot holds, in place of one that was lost", "1", [["", "lost"]], "0/4000028", 4],
  ])("%s", async (_, timeline, slots, created, segment) => {
    const { connection, asked } = answers(timeline, slots, created);
    const start = await streamStart(connection, configuration(), () => {});
    expect(start).toMatchObject({ systemIdentifier: CLUSTER, timeline: Number(timeline) });
    expect(start?.lsn).toBe(BigInt(segment) * BigInt(SEGMENT_BYTES));
    expect(asked.some((sql) => /drop_replication_slot/.test(sql))).toBe(slots[0]?.[1] === "lost");
  });

  test("not at all while the server is in recovery", async () => {
    const connection = { rows: async () => [["t"]] };
    expect(await streamStart(connection, configuration(), () => {})).toBeUndefined();
  });

  test("a new slot leaves nothing of another timeline that had the number", async () => {
    for (const name of ["000000010000000000000003", "000000010000000000000004", "000000020000000000000004"])
      await receive(name, [Buffer.from("x")]);
    await streamStart(answers("1", [], "0/4000028").connection, configuration(), () => {});
    expect(await readdir(place())).toEqual(["000000010000000000000003", "000000020000000000000004"]);
  });
});

describe("what is laid ready for a recovery", () => {
  const CHAIN: Chain = [{ timeline: 1, until: "0/5000200" }, { timeline: 2 }];
  const full = Buffer.alloc(SEGMENT_BYTES, 1);

  test("is what lies on the way of the chain, from the base on, each in the length of a segment", async () => {
    for (const name of ["000000010000000000000002", "000000010000000000000004", "000000020000000000000005"])
      await receive(name, [full]);
    for (const name of ["000000010000000000000005", "000000020000000000000006", "000000030000000000000006"])
      await receive(name, [Buffer.from("tail")]);
    const directory = join(folder, "cluster");
    await mkdir(directory);
    const options = { directory, systemIdentifier: CLUSTER, chain: CHAIN, from: SEGMENT };
    const staged = await stageReceived(configuration(), options);
    expect(staged).toEqual({
      names: ["000000010000000000000004", "000000020000000000000005", "000000020000000000000006"],
      whole: ["000000010000000000000004", "000000020000000000000005"],
      until: 6n * BigInt(SEGMENT_BYTES) + 4n,
    });
    const tail = await readFile(join(directory, "pg_wal", "000000020000000000000006"));
    expect([tail.length, String(tail.subarray(0, 4)), tail[4]]).toEqual([SEGMENT_BYTES, "tail", 0]);
    expect(await readdir(join(directory, "pg_wal", "archive_status"))).toEqual(
      staged.names.map((name) => `${name}.done`),
    );
    const other = { ...options, systemIdentifier: "7000000000000000002" };
    expect(await stageReceived(configuration(), other)).toEqual({ names: [], whole: [] });
  });
});

describe("whether a record is there to its last byte", () => {
  /** A log of `bytes`, with a record of a length at a place. */
  const log = (bytes: number, at: number, length: number) => {
    const content = Buffer.alloc(bytes, 7);
    content.writeUInt32LE(length, at);
    return content;
  };

  test.each([
    ["within a page", 1_000, 800, 200, 800, true],
    ["one byte short", 999, 800, 200, 800, false],
    ["behind the head of a segment, at its start", 100, 40, 60, 0, true],
    ["behind the head of a page, at its start", 8_192 + 24 + 30, 8_192 + 24, 30, 8_192, true],
    ["over the end of a page, whose head counts", 8_192 + 24 + 92, 8_192 - 8, 100, 8_192 - 8, true],
    ["over the end of a page, one byte short", 8_192 + 24 + 91, 8_192 - 8, 100, 8_192 - 8, false],
    ["of which the page has no more than the end", 8_192, 8_192 - 8, 100, 8_192 - 8, false],
    ["over the end of a segment", SEGMENT_BYTES + 40 + 92, SEGMENT_BYTES - 8, 100, SEGMENT_BYTES - 8, true],
    ["whose length is not there", 802, 796, 0, 800, false],
    ["that was not written", 1_000, 800, 0, 800, false],
    ["of a length that no record has", 1_000, 800, 5, 800, true],
  ])("%s", (_, bytes, at, length, offset, whole) => {
    expect(isRecordWhole(log(bytes, at, length), offset)).toBe(whole);
  });
});
