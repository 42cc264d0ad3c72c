import { beforeEach, describe, expect, test, vi } from "vitest";
import { inRunningContainer } from "../../operations/running-container.ts";
import { SqlError } from "../../operations/superuser.ts";
import type { Target } from "../../operations/target.ts";

const TARGET = { stack: "dev", container: "pgstack-dev" } as Target;

/** Ids of the container that runs, one look after the other; the last one stays. Undefined: none runs. */
const engine = vi.hoisted(() => ({ looks: [] as (string | undefined)[] }));

vi.mock("../../operations/docker.ts", async (original) => ({
  ...(await original<typeof import("../../operations/docker.ts")>()),
  findContainer: async () => {
    const id = engine.looks.length > 1 ? engine.looks.shift() : engine.looks[0];
    return id === undefined ? undefined : { Id: id, State: { Running: true } };
  },
}));

beforeEach(() => {
  engine.looks = ["one"];
});

const tried = (work: () => Promise<string>) => inRunningContainer(TARGET, work, () => "instead");
/** What a program says that the engine could not start any more. */
const notStarted = async (): Promise<string> => {
  throw new SqlError("psql ended with exit code 126", undefined, undefined);
};

describe("work in a container that may be removed meanwhile", () => {
  test("is done, or not begun where none runs", async () => {
    expect(await tried(async () => "done")).toBe("done");
    engine.looks = [undefined];
    expect(await tried(async () => "done")).toBe("instead");
  });

  test("has not failed where the container has ended, or is another one, also when that is known later", async () => {
    for (const after of [[undefined], ["two"], ["one", "one", undefined], ["one", "two"]]) {
      engine.looks = ["one", ...after];
      expect(await tried(notStarted), String(after)).toBe("instead");
    }
  });

  test("has failed where the container runs on", async () => {
    await expect(tried(notStarted)).rejects.toThrow("exit code 126");
    engine.looks = ["one", "one", undefined];
    const refused = async () => {
      throw new SqlError("permission denied", "42501", undefined);
    };
    await expect(tried(refused)).rejects.toThrow("permission denied");
  });
});
