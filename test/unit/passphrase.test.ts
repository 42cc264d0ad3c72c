import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Called before a file is written, with how many were before. */
const hooks = vi.hoisted(() => ({ beforeWrite: async (_count: number) => {}, writes: 0 }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    writeFile: async (...words: Parameters<typeof real.writeFile>) => {
      await hooks.beforeWrite(hooks.writes++);
      await real.writeFile(...words);
    },
  };
});

let folder: string;
let passphrase: string;
let ensurePassphrase: () => Promise<void>;
/** Folders that were made to outlive a power cut, each with what was in it. */
let synced: string[];

beforeEach(async () => {
  folder = join(await temporaryFolder(), ".pgstack");
  passphrase = join(folder, "passphrase");
  await mkdir(folder);
  hooks.beforeWrite = async () => {};
  vi.resetModules();
  vi.doMock("../../toolchain/directories.mjs", async (original) => ({
    ...(await original<object>()),
    STATE_DIRECTORY: folder,
  }));
  vi.doMock("../../toolchain/write-whole.mjs", () => ({
    syncDirectory: async (directory: string) => {
      synced.push(directory, ...(await readdir(directory)));
    },
  }));
  synced = [];
  ({ ensurePassphrase } = await import("../../toolchain/passphrase.mjs"));
  hooks.writes = 0;
});

afterEach(() => {
  for (const module of ["directories", "write-whole"]) vi.doUnmock(`../../toolchain/${module}.mjs`);
});

describe("the passphrase that set-up makes [S2]", () => {
  test("is for its owner's eyes alone, whatever the shell's mask, and long enough", async () => {
    const before = process.umask(0);
    try {
      await ensurePassphrase();
    } finally {
      process.umask(before);
    }
    expect((await stat(passphrase)).mode & 0o777).toBe(0o600);
    expect(Buffer.from((await readFile(passphrase, "utf8")).trim(), "base64url")).toHaveLength(32);
    expect(await readdir(folder)).toEqual(["passphrase"]);
    // Whatever is encrypted with it next is there after a power cut, too.
    expect(synced).toEqual([folder, "passphrase"]);
  });

  test("stays the first one's, where two make it at once", async () => {
    let release = () => {};
    const first = new Promise<void>((resolve) => {
      release = resolve;
    });
    // Both have seen that there is none; the second goes on when the first has returned.
    hooks.beforeWrite = async (count) => {
      if (count === 1) await first;
    };
    const [one, other] = [ensurePassphrase(), ensurePassphrase()];
    await one;
    const made = await readFile(passphrase, "utf8");
    release();
    await other;
    expect(hooks.writes).toBe(2);
    expect(await readFile(passphrase, "utf8")).toBe(made);
    expect(await readdir(folder)).toEqual(["passphrase"]);
  });

  test("is never made anew", async () => {
    await writeFile(passphrase, "mine\n");
    await ensurePassphrase();
    expect(await readFile(passphrase, "utf8")).toBe("mine\n");
  });
});
