import { beforeEach, describe, expect, test, vi } from "vitest";
import { Refusal } from "../../agent/failure.ts";
import { freeBytes } from "../../agent/files.ts";
import { requireRoom, withRoom } from "../../agent/room.ts";

vi.mock("../../agent/files.ts", () => ({ freeBytes: vi.fn() }));

const place = { backupDirectory: "/backups" };
const MEGABYTE = 1024 ** 2;
const NOT_ARCHIVED =
  "pgbackrest backup failed (exit code 82): WAL segment 000000010000000000000003 was not archived before the 60000ms timeout";

function free(bytes: number): void {
  vi.mocked(freeBytes).mockResolvedValue(bytes);
}

beforeEach(() => free(1024 * MEGABYTE));

describe("room in the backup folder", () => {
  test.each([
    ["of what has changed", 0, 8 * MEGABYTE],
    ["of a small database", 20 * MEGABYTE, 8 * MEGABYTE],
    ["of a large database", 1_000 * MEGABYTE, 100 * MEGABYTE],
  ])("a backup %s is refused below what it takes at least", async (_what, databaseBytes, needed) => {
    free(needed);
    await expect(requireRoom(place, databaseBytes)).resolves.toBeUndefined();
    free(needed - 1);
    await expect(requireRoom(place, databaseBytes)).rejects.toThrow(
      `no room for a backup in /backups: at least ${needed} bytes are needed and ${needed - 1} are free`,
    );
  });

  test.each([
    "pgbackrest backup failed (exit code 82): unable to write '/backups/x': [28] No space left on device",
    "ENOSPC: no space left on device, write",
    "Disk quota exceeded",
  ])("a failure that speaks of room is told as one, whatever is free by then: %s", async (words) => {
    const told = await withRoom(new Error(words), place);
    expect(told).toBeInstanceOf(Refusal);
    expect(String(told)).toContain(
      "no room for a backup in /backups: 1073741824 bytes are free; make room there",
    );
    expect(String(told)).toContain(words);
  });

  test("a segment that finds no room is not archived: the backup that waits for it names the room", async () => {
    free(15 * MEGABYTE);
    const told = await withRoom(new Error(NOT_ARCHIVED), place);
    expect(told).toBeInstanceOf(Refusal);
    expect(String(told)).toContain(`no room for a backup in /backups: ${15 * MEGABYTE} bytes are free`);
  });

  test.each([
    [NOT_ARCHIVED, 16 * MEGABYTE],
    ["the server closed the connection unexpectedly", 0],
  ])("what has another cause is left alone: %s", async (words, bytes) => {
    free(bytes);
    const error = new Error(words);
    expect(await withRoom(error, place)).toBe(error);
  });
});
