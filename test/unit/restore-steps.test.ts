import { beforeEach, describe, expect, test, vi } from "vitest";
import { restoreInPlace, resumeRestore } from "../../operations/restore.ts";
import type { Target } from "../../operations/target.ts";

const TARGET = { stack: "dev", container: "pgstack-dev" } as Target;

const PREPARED = {
  ...{ backup: "F", timeline: 1, lsn: "0/5000000", systemIdentifier: "7", secondsToFirstQuery: 1 },
  ...{ tables: [], warnings: [], problems: [] as string[] },
};

/** What was done to the stack, in order, and how its agent answers. */
const stack = vi.hoisted(() => ({
  done: [] as string[],
  answers: {} as Record<string, unknown>,
  writable: true,
  /** The cluster was prepared by an earlier version, with the settings of its recovery. */
  earlier: false,
}));

vi.mock("../../operations/agent.ts", () => ({
  callAgent: async (_target: unknown, operation: string, parameters: { label?: string } = {}) => {
    stack.done.push(parameters.label === undefined ? operation : `${operation} ${parameters.label}`);
    const answer = stack.answers[operation] ?? null;
    if (answer instanceof Error) throw answer;
    return answer;
  },
}));
vi.mock("../../operations/first-provision.ts", () => ({ markProven: async () => {} }));
vi.mock("../../operations/restore/restorer.ts", () => ({
  whileHeld: async (_target: unknown, _purpose: string, work: () => Promise<unknown>) => work(),
  withRestorer: async (_target: unknown, work: (container: string) => Promise<unknown>) => work("restorer"),
}));
vi.mock("../../operations/restore/server.ts", () => ({
  endRecoverySettings: async () => stack.earlier,
  isWritable: async () => stack.writable,
  startServer: async () => void stack.done.push("start"),
  stopServer: async () => void stack.done.push("stop"),
}));

beforeEach(() => {
  stack.done = [];
  stack.writable = true;
  stack.earlier = false;
  stack.answers = {
    backup: [{ id: "SAFE" }],
    "own-cluster": true,
    "restore-prepare": PREPARED,
    "restore-check": { problems: [], warnings: [] },
  };
});

const options = { confirm: async () => true, prove: async () => {} };
const restore = (more: { accept?: string } = {}) =>
  restoreInPlace(TARGET, { type: "backup", id: "F" }, { ...options, ...more });

const SAFETY = expect.stringMatching(/^backup before restore \d{8}T\d{6}$/);

describe("a restore in place [L7]", () => {
  test("backs up the present state before anything is made, and says by what", async () => {
    expect(await restore()).toMatchObject({ done: true, safetyBackup: "SAFE" });
    expect(stack.done).toEqual([
      ...["restore-journal", "restore-plan", "own-cluster", SAFETY, "restore-prepare"],
      ...["stop", "restore-swap", "restore-opening", "start", "restore-opened"],
      ...["restore-check", "restore-done"],
    ]);
  });

  test("starts the server anew without what an earlier version has left of the recovery", async () => {
    stack.earlier = true;
    await restore();
    expect(stack.done.slice(-5)).toEqual([
      "restore-opened",
      "stop",
      "start",
      "restore-check",
      "restore-done",
    ]);
  });

  test("backs up no cluster that the server has made on an emptied data volume", async () => {
    stack.answers["own-cluster"] = false;
    expect(await restore()).not.toHaveProperty("safetyBackup");
    expect(stack.done).toContain("restore-swap");
    expect(stack.done).not.toContainEqual(SAFETY);
  });

  test("is not begun where the present state cannot be backed up", async () => {
    stack.answers["backup"] = new Error("the disk is full");
    await expect(restore()).rejects.toThrow("the disk is full");
    expect(stack.done).toEqual(["restore-journal", "restore-plan", "own-cluster", SAFETY]);
  });

  test("goes without a backup only where the server does not answer", async () => {
    stack.writable = false;
    expect(await restore()).not.toHaveProperty("safetyBackup");
    expect(stack.done).toContain("restore-swap");
    expect(stack.done).not.toContainEqual(SAFETY);
  });

  test("puts nothing in use that failed its checks, and asks nobody", async () => {
    stack.answers["restore-prepare"] = { ...PREPARED, problems: ["public.orders is missing"] };
    const confirm = vi.fn(async () => true);
    await expect(
      restoreInPlace(TARGET, { type: "backup", id: "F" }, { ...options, confirm }),
    ).rejects.toThrow(/failed verification: public\.orders is missing\. Nothing in use was changed/);
    expect(confirm).not.toHaveBeenCalled();
    expect(stack.done.at(-1)).toBe("restore-prepare");
  });

  test("takes what failed its checks for a reason, which is noted first", async () => {
    stack.answers["restore-prepare"] = { ...PREPARED, problems: ["public.orders is missing"] };
    expect((await restore({ accept: "it is known" })).done).toBe(true);
    expect(stack.done.slice(4, 8)).toEqual(["restore-prepare", "restore-accept", "stop", "restore-swap"]);
  });

  test("puts back the state before where the checks of the one in use fail", async () => {
    stack.answers["restore-check"] = { problems: ["recovery ended at 0/4000000"], warnings: [] };
    await expect(restore()).rejects.toThrow(
      "the restore failed and the state before is back, checked: recovery ended at 0/4000000",
    );
    expect(stack.done.slice(-4)).toEqual(["restore-check", "stop", "restore-undo", "start"]);
    expect(stack.done).not.toContain("restore-done");
  });
});

describe("the end of a restore that was interrupted [L7]", () => {
  const journal = (phase: string, more = {}) => ({
    ...{ format: 1, id: "r", phase, startedAt: "2026-11-01T00:00:00Z", target: "F", prepared: PREPARED },
    ...more,
  });

  test("finishes one that was swapped only when its checks pass", async () => {
    stack.answers["restore-journal"] = journal("swapped");
    expect(await resumeRestore(TARGET, options)).toMatchObject({ state: "restored" });
    expect(stack.done.slice(-2)).toEqual(["restore-check", "restore-done"]);
    stack.done = [];
    stack.answers["restore-check"] = { problems: ["a table is missing"], warnings: [] };
    expect(await resumeRestore(TARGET, options)).toMatchObject({ state: "before" });
    expect(stack.done.slice(-3)).toEqual(["stop", "restore-undo", "start"]);
  });

  test("decides nothing about one that was in use and fails its checks", async () => {
    stack.answers["restore-journal"] = journal("swapped", { openedAt: "2026-11-02T00:00:00Z" });
    stack.answers["restore-check"] = { problems: ["a table is missing"], warnings: [] };
    await expect(resumeRestore(TARGET, options)).rejects.toThrow(
      /has been in use since .* and fails its checks \(a table is missing\); nothing was changed/,
    );
    expect(stack.done).not.toContain("restore-undo");
  });

  test("takes one that failed its checks for a reason, with a backup of what was written since", async () => {
    stack.answers["restore-journal"] = journal("failed verification");
    expect(await resumeRestore(TARGET, { ...options, accept: "it is known" })).toMatchObject({
      ...{ state: "restored", accepted: true, safetyBackup: "SAFE" },
    });
    expect(stack.done.slice(0, 5)).toEqual([
      "restore-journal",
      "own-cluster",
      expect.stringMatching(/^backup before restore r$/),
      "restore-accept",
      "stop",
    ]);
  });
});
