import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { writeWhole as agentWriteWhole, syncPath } from "../../agent/files.ts";
import { appendAudit } from "../../operations/audit.ts";
import { writeWhole as operationsWriteWhole, syncDirectory } from "../../operations/write-whole.ts";
import {
  syncDirectory as toolchainSync,
  writeWhole as toolchainWriteWhole,
} from "../../toolchain/write-whole.mjs";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** What was asked of the file system, in order. */
const asked = vi.hoisted(() => ({ calls: [] as string[], failing: undefined as string | undefined }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const note = (call: string, ...paths: string[]) => {
    asked.calls.push([call, ...paths].join(" "));
    if (asked.failing === call) throw new Error(`${call} failed`);
  };
  return {
    ...real,
    open: async (path: string, ...rest: [string, number?]) => {
      const file = await real.open(path, ...rest);
      const { sync, writeFile: write } = file;
      return Object.assign(file, {
        sync: async () => {
          note("sync", path);
          await sync.call(file);
        },
        writeFile: async (text: string) => {
          note("write", path);
          await write.call(file, text);
        },
      });
    },
    rename: async (from: string, to: string) => {
      note("rename", from, to);
      await real.rename(from, to);
    },
  };
});

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder, "state", "file.json");
  await mkdir(dirname(path));
  asked.failing = undefined;
  asked.calls = [];
});

/** The calls, with a file beside the final one as `draft`. */
function calls(): string[] {
  return asked.calls.map((call) =>
    call
      .split(" ")
      .map((word) => (word.startsWith(folder) ? relative(folder, word) : word))
      .map((word) => (/^state\/file\.json\..*new$/.test(word) ? "draft" : word))
      .join(" "),
  );
}

describe.each([
  ["agent", agentWriteWhole],
  ["operations", operationsWriteWhole],
  ["toolchain", toolchainWriteWhole],
])("a file that the %s writes whole", (_side, writeWhole) => {
  test("is on disk before it takes its name, and the name is on disk before it returns", async () => {
    await writeWhole(path, "new");
    expect(calls()).toEqual(["write draft", "sync draft", "rename draft state/file.json", "sync state"]);
    expect(await readFile(path, "utf8")).toBe("new");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(dirname(path))).toEqual(["file.json"]);
  });

  test.each(["write", "sync", "rename"])("is the old one, whole, where %s fails", async (call) => {
    await writeWhole(path, "old");
    asked.failing = call;
    await expect(writeWhole(path, "new")).rejects.toThrow(`${call} failed`);
    expect(await readFile(path, "utf8")).toBe("old");
    asked.failing = undefined;
    await writeWhole(path, "newer");
    expect(await readFile(path, "utf8")).toBe("newer");
  });
});

test.each([
  ["agent", syncPath],
  ["operations", syncDirectory],
  ["toolchain", toolchainSync],
])("a name that the %s gives by itself is on disk", async (_side, sync) => {
  await writeFile(join(folder, "renamed"), "");
  await sync(folder);
  expect(asked.calls).toEqual([`sync ${folder}`]);
});

test("an audit record is on disk before the head file counts it", async () => {
  const entry = { operation: "x", parameters: {}, result: "ok", durationMilliseconds: 1 } as const;
  await appendAudit({ logsDirectory: folder, stack: "dev" }, { ...entry, time: new Date("2026-11-01") });
  const own = calls()
    .filter((call) => !call.includes("lock"))
    .map((call) => call.replace(/audit-dev\.head\.json\.\S+new/, "draft of the head"));
  expect(own).toEqual([
    "write audit-dev-2026-11.log",
    "sync audit-dev-2026-11.log",
    "sync ",
    "write draft of the head",
    "sync draft of the head",
    "rename draft of the head audit-dev.head.json",
    "sync ",
  ]);
});
