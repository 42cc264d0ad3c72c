import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type LockHolder, ownIdentity } from "../../operations/lock/holder.ts";
import { withLock } from "../../operations/lock.ts";
import { UserError } from "../../operations/user-error.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PROGRAM = new URL("../support/lock-program.ts", import.meta.url).pathname;
let folder: string;
let lock: string;
let children: ChildProcess[];

beforeEach(async () => {
  folder = await temporaryFolder();
  lock = join(folder, "deep", "stack.lock");
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
});

function start(...words: string[]): ChildProcess {
  const child = spawn(process.execPath, [PROGRAM, lock, ...words], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  return child;
}

/** A process that says that it holds the lock, and goes on holding it. */
async function startHolder(): Promise<ChildProcess> {
  const child = start("hold");
  if (child.stdout === null) throw new Error("no output");
  await once(createInterface(child.stdout), "line");
  return child;
}

async function writeHolder(change: Partial<LockHolder>): Promise<void> {
  await withLock(lock, async () => {});
  const holder = { ...(await ownIdentity()), nonce: "n", since: "2026-11-20T00:00:00.000Z", ...change };
  await writeFile(lock, JSON.stringify(holder));
}

describe("the lock of a stack", () => {
  test("S8 lets one process at a time work", { timeout: 30_000 }, async () => {
    const counter = join(folder, "counter");
    await writeFile(counter, "0");
    const workers = [1, 2, 3].map(() => start("count", counter, "40"));
    const codes = await Promise.all(workers.map(async (worker) => (await once(worker, "exit"))[0]));
    expect(codes).toEqual([0, 0, 0]);
    expect(await readFile(counter, "utf8")).toBe("120");
    expect(await readdir(join(folder, "deep"))).toEqual([]);
  });

  test("S8 names the holder to whoever waits in vain", async () => {
    const holder = await startHolder();
    const wait = withLock(lock, async () => {}, { waitMilliseconds: 50, purpose: "a test" });
    const expected = `held by process ${holder.pid} on ${hostname()} since 2\\S+Z for holding`;
    await expect(wait).rejects.toThrow(UserError);
    await expect(withLock(lock, async () => {}, { waitMilliseconds: 0 })).rejects.toThrow(
      new RegExp(expected),
    );
    holder.stdin?.end();
    await once(holder, "exit");
    expect(await withLock(lock, async () => "mine")).toBe("mine");
  });

  test("S8 is taken over from a killed process", async () => {
    const holder = await startHolder();
    holder.kill("SIGKILL");
    await once(holder, "exit");
    expect(await readFile(lock, "utf8")).toContain(`"pid":${holder.pid}`);
    expect(await withLock(lock, async () => "mine", { waitMilliseconds: 0 })).toBe("mine");
    expect(await readdir(join(folder, "deep"))).toEqual([]);
  });

  test("S8 a dead holder is replaced by one process only", { timeout: 30_000 }, async () => {
    const counter = join(folder, "counter");
    for (let round = 0; round < 3; round += 1) {
      await writeFile(counter, "0");
      await writeHolder({ pid: 2 ** 22 + 1, nonce: `dead ${round}` });
      const workers = [1, 2, 3].map(() => start("count", counter, "5"));
      await Promise.all(workers.map((worker) => once(worker, "exit")));
      expect(await readFile(counter, "utf8")).toBe("15");
    }
  });

  test("S8 a dead holder's takeover by a process that died too is finished", async () => {
    await writeHolder({ pid: 2 ** 22 + 1 });
    await writeFile(`${lock}.takeover`, await readFile(lock));
    expect(await withLock(lock, async () => "mine", { waitMilliseconds: 0 })).toBe("mine");
  });

  test("S8 a process id that was given to another process is no holder", async () => {
    await writeHolder({ started: "1" });
    expect(await withLock(lock, async () => "mine", { waitMilliseconds: 0 })).toBe("mine");
  });

  test("S8 a holder before the machine's restart is gone", async () => {
    await writeHolder({ boot: "another" });
    expect(await withLock(lock, async () => "mine", { waitMilliseconds: 0 })).toBe("mine");
  });

  test("S8 a holder on another host, or in another container, is never taken over", async () => {
    await writeHolder({ host: "elsewhere", pid: 2 ** 22 + 1 });
    const elsewhere = withLock(lock, async () => {}, { waitMilliseconds: 0 });
    await expect(elsewhere).rejects.toThrow(/on elsewhere .*remove the file/);
    await rm(lock);
    await writeHolder({ namespace: "pid:[1]", pid: 2 ** 22 + 1 });
    await expect(withLock(lock, async () => {}, { waitMilliseconds: 0 })).rejects.toThrow(/is held by/);
  });

  test("S8 a file that names no holder is not removed", async () => {
    await withLock(lock, async () => {});
    await writeFile(lock, "");
    await expect(withLock(lock, async () => {}, { waitMilliseconds: 0 })).rejects.toThrow(/names no holder/);
  });

  test("S8 is given back when the work fails", async () => {
    const own = new Error("own");
    await expect(withLock(lock, () => Promise.reject(own))).rejects.toBe(own);
    expect(await withLock(lock, async () => "mine", { waitMilliseconds: 0 })).toBe("mine");
  });

  test("S8 the wait ends with its signal", async () => {
    const end = new AbortController();
    await withLock(lock, async () => {
      const waiting = withLock(lock, async () => {}, { signal: end.signal });
      end.abort();
      await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    });
  });
});
