import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { signalFromHost } from "../support/host-process.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { Writer } from "../support/writer.ts";

const ROUNDS = 20;
/** Docker begins with its shortest pause again after a container has run for ten seconds. */
const STEADY_MILLISECONDS = 11_000;

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp();
});

afterAll(() => stack?.project.remove());

describe("F09 the server's first process", () => {
  test("F09 killed 20 times under load: it comes back each time, nothing lost", {
    timeout: 900_000,
  }, async () => {
    const writer = await Writer.start(stack, "killed");
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const { State } = await inspect();
        const wait = Date.parse(State.StartedAt) + STEADY_MILLISECONDS - Date.now();
        await expect
          .poll(() => Date.parse(State.StartedAt) + STEADY_MILLISECONDS <= Date.now(), {
            timeout: wait + 5_000,
          })
          .toBe(true);
        await writer.progress();
        await signalFromHost(stack.target.container, "KILL");
        await expect.poll(async () => (await inspect()).State.Pid, { timeout: 30_000 }).not.toBe(State.Pid);
        await writer.progress();
      }
      await writer.finish();
    } finally {
      await writer.end();
    }
    expect((await inspect()).RestartCount).toBe(ROUNDS);
  });
});

async function inspect() {
  const container = await findContainer(dockerEngine(), stack.target.container);
  if (container === undefined) throw new Error("the server's container is gone");
  return container;
}
