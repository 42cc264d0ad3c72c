import { execFileSync } from "node:child_process";
import { link, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { holding, secretChecksums } from "../../agent/physical/secrets.ts";
import { readPlain, withCopy } from "../../agent/plain-file.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "plain-"));
  await writeFile(join(folder, "file"), "content");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("what the server could have put there", () => {
  test("is read when it is a plain file, and copied under its name", async () => {
    expect(String(await readPlain(join(folder, "file"), 7))).toBe("content");
    await link(join(folder, "file"), join(folder, "other"));
    const copied = await withCopy(join(folder, "other"), 100, async (copy) => {
      expect(basename(copy)).toBe("other");
      return readFile(copy, "utf8");
    });
    expect(copied).toBe("content");
  });

  test("is refused as a link, below a link, as a pipe or folder, or beyond its size, without waiting", async () => {
    await symlink(join(folder, "file"), join(folder, "link"));
    await mkdir(join(folder, "real"));
    await rename(join(folder, "file"), join(folder, "real", "file"));
    await symlink(join(folder, "real"), join(folder, "below"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const name of ["link", "below/file", "pipe", "real"]) {
      await expect(readPlain(join(folder, name), 100), name).rejects.toThrow(/is no file/);
    }
    await expect(readPlain(join(folder, "real", "file"), 6)).rejects.toThrow("file has more than 6 bytes");
    await expect(readPlain(join(folder, "none"), 6)).rejects.toThrow(/ENOENT/);
  });
});

describe("a manifest", () => {
  const line = (name: string, checksum: string) =>
    `${name}={"checksum":"${checksum}","size":20,"timestamp":1}`;
  const key = Buffer.from("0123456789abcdef0123456789abcdef");

  test("tells of a file that begins as one of the secrets does, and of no other", () => {
    const [whole = "", beginning = ""] = [key, key.subarray(0, 20)].map((text) =>
      [...secretChecksums([text])].at(-1),
    );
    const innocent = line("pg_data/PG_VERSION", "3f9f2b1c3c0b1f6e3a2d0a1c5e4f6b7a8c9d0e1f");
    const checksums = secretChecksums([key]);
    expect(holding(innocent, checksums)).toBeUndefined();
    expect(holding(`${innocent}\n${line("pg_data/base/planted/backup.key", whole)}`, checksums)).toBe(
      "base/planted/backup.key",
    );
    expect(holding(line("pg_data/a=b", beginning), checksums)).toBe("a=b");
  });
});
