import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { type LockHolder, ownIdentity } from "../../operations/lock/holder.ts";
import { keepStackLock, stackLockPath } from "../../operations/lock/stack.ts";
import { withLock } from "../../operations/lock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Called before what the lock does to a file. */
const hooks = vi.hoisted(() => ({ before: async (_call: string, _path: string) => {} }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    readFile: async (...words: Parameters<typeof real.readFile>) => {
      await hooks.before("read", String(words[0]));
      return await real.readFile(...words);
    },
    rm: async (...words: Parameters<typeof real.rm>) => {
      await hooks.before("remove", String(words[0]));
      await real.rm(...words);
    },
    link: async (...words: Parameters<typeof real.link>) => {
      await hooks.before("claim", String(words[1]));
      await real.link(...words);
    },
  };
});

let lock: string;

beforeEach(async () => {
  lock = join(await temporaryFolder(), "stack.lock");
  hooks.before = async () => {};
});

/** Something that is waited for, and reached. */
class Barrier {
  #open = () => {};
  readonly reached = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  open(): void {
    this.#open();
  }
}

async function leaveDeadHolder(): Promise<void> {
  const holder: LockHolder = {
    ...{ ...(await ownIdentity()), pid: 2 ** 22 + 1 },
    ...{ nonce: "dead", since: "2026-11-20T00:00:00.000Z" },
  };
  await writeFile(lock, JSON.stringify(holder));
}

/** Work under the lock that says when it has begun, and ends when it is told to. */
function worker() {
  const [begun, end] = [new Barrier(), new Barrier()];
  const state = { working: false };
  const done = withLock(lock, async () => {
    state.working = true;
    begun.open();
    await end.reached;
    state.working = false;
  });
  return { state, begun: begun.reached, end: () => end.open(), done };
}

describe("a dead holder's lock [S8]", () => {
  test("is not taken from who has taken it over between another one's look and its turn", async () => {
    await leaveDeadHolder();
    const [slow, turn] = [new Barrier(), new Barrier()];
    let first = true;
    // The slow one has seen the dead holder, and comes to the takeover when all is over.
    hooks.before = async (call, path) => {
      if (call !== "read" || path !== `${lock}.takeover` || !first) return;
      first = false;
      slow.open();
      await turn.reached;
    };
    const late = worker();
    await slow.reached;
    const quick = worker();
    await quick.begun;
    const held = await readFile(lock, "utf8");
    const rounds = new Barrier();
    let looks = 0;
    hooks.before = async (call, path) => {
      if (call === "read" && path === lock && ++looks > 4) rounds.open();
    };
    turn.open();
    // It has looked again, and waits.
    await Promise.race([rounds.reached, late.begun]);
    expect([quick.state.working, late.state.working]).toEqual([true, false]);
    expect(await readFile(lock, "utf8")).toBe(held);
    quick.end();
    await late.begun;
    expect(quick.state.working).toBe(false);
    late.end();
    await Promise.all([quick.done, late.done]);
  });

  test("is removed by one at a time: nobody takes it over while another one is at it", async () => {
    await leaveDeadHolder();
    const [removing, go] = [new Barrier(), new Barrier()];
    let first = true;
    hooks.before = async (call, path) => {
      if (call !== "remove" || path !== lock || !first) return;
      first = false;
      removing.open();
      await go.reached;
    };
    const slow = worker();
    await removing.reached;
    const before = hooks.before;
    const waits = new Barrier();
    let looks = 0;
    hooks.before = async (call, path) => {
      await before(call, path);
      if (call === "read" && path === `${lock}.takeover` && ++looks > 3) waits.open();
    };
    const other = worker();
    await Promise.race([waits.reached, other.begun]);
    expect(other.state.working).toBe(false);
    go.open();
    await Promise.race([slow.begun, other.begun]);
    expect([slow.state.working, other.state.working].toSorted()).toEqual([false, true]);
    for (const one of [slow, other]) one.end();
    await Promise.all([slow.done, other.done]);
    await expect(readFile(lock)).rejects.toThrow(/ENOENT/);
  });

  test("that became free between look and claim is had by one of two", async () => {
    const [both, go] = [new Barrier(), new Barrier()];
    let claims = 0;
    hooks.before = async (call, path) => {
      if (call !== "claim" || path !== lock || claims >= 2) return;
      claims += 1;
      if (claims === 2) both.open();
      await go.reached;
    };
    const workers = [worker(), worker()];
    await both.reached;
    go.open();
    await Promise.race(workers.map(({ begun }) => begun));
    expect(workers.filter(({ state }) => state.working)).toHaveLength(1);
    for (const one of workers) one.end();
    await Promise.all(workers.map(({ done }) => done));
  });
});

describe("a lock that was removed by hand and taken by another one meanwhile [S8]", () => {
  const other = (): string =>
    JSON.stringify({ host: "elsewhere", pid: 1, nonce: "other", since: "2026-11-20T00:00:00.000Z" });

  test("is not given back by who had it before", async () => {
    await withLock(lock, async () => {
      await rm(lock);
      await writeFile(lock, other());
    });
    expect(await readFile(lock, "utf8")).toBe(other());
  });

  test("nor at the end of a process that has kept it", async () => {
    const project = await temporaryFolder();
    await keepStackLock(project, "dev", "a test");
    const release = process.listeners("exit").at(-1) as () => void;
    const path = stackLockPath(project, "dev");
    const own = await readFile(path, "utf8");
    await writeFile(path, other());
    release();
    expect(await readFile(path, "utf8")).toBe(other());
    await writeFile(path, own);
    release();
    await expect(readFile(path)).rejects.toThrow(/ENOENT/);
    process.off("exit", release);
  });
});
