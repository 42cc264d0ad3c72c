import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { waitUntilReady } from "../../operations/readiness.ts";
import { readVolumeFile, writeVolumeFiles } from "../../operations/volume-files.ts";
import { signalFromHost } from "../support/host-process.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { errorsOf } from "../support/up.ts";
import { Writer } from "../support/writer.ts";

const docker = dockerEngine();
const NO_CHANGES = ["preview", "--refresh", "--expect-no-changes"];

let stack: LiveStack;

beforeAll(async () => {
  stack = await LiveStack.bringUp({ shmSize: "64MB", healthTimeoutSeconds: 20 });
});

afterAll(() => stack?.project.remove());

describe("F09 the server's first process", () => {
  test("F09 killed three times under load: it comes back each time, nothing lost", async () => {
    const writer = await Writer.start(stack, "killed");
    try {
      for (let round = 0; round < 3; round += 1) {
        await writer.progress();
        const { State } = await inspect();
        await signalFromHost(stack.target.container, "KILL");
        await expect.poll(async () => (await inspect()).State.Pid, { timeout: 30_000 }).not.toBe(State.Pid);
        await writer.progress();
      }
      await writer.finish();
    } finally {
      await writer.end();
    }
    expect((await inspect()).RestartCount).toBe(3);
    expect((await stack.project.pulumi(NO_CHANGES)).code).toBe(0);
  });
});

describe("F50 one query and not the server", () => {
  test("F50 /dev/shm used up: the query that needs it fails, the others go on", async () => {
    const session = await stack.session("application");
    await stack.inside("dd if=/dev/zero of=/dev/shm/fill bs=64k 2>/dev/null; true");
    const before = await stack.startTime();
    await session.query("SET debug_parallel_query = on");
    await expect(session.query("SELECT count(*) FROM generate_series(1, 10)")).rejects.toThrow(
      /could not (resize|open) shared memory segment|No space left on device/,
    );
    await session.query("SET debug_parallel_query = off");
    expect((await session.query("SELECT 1 AS n")).rows).toEqual([{ n: 1 }]);
    await stack.inside("rm /dev/shm/fill");
    await session.query("SET debug_parallel_query = on");
    await session.query("SELECT count(*) FROM generate_series(1, 10)");
    await session.end();
    expect(await stack.startTime()).toBe(before);
  });

  test("F50 out of memory: the kernel ends one query, the server recovers by itself within ten seconds, nothing lost", async () => {
    const writer = await Writer.start(stack, "starved");
    try {
      await writer.progress();
      const { RestartCount } = await inspect();
      const greedy = await stack.session("readonly");
      const started = performance.now();
      await expect(
        greedy.query("SELECT length(string_agg(repeat('x', 200000000), '')) FROM generate_series(1, 5)"),
      ).rejects.toThrow();
      await writer.progress();
      expect(performance.now() - started).toBeLessThan(10_000);
      await writer.finish();
      // The container went on: PostgreSQL itself began anew inside.
      expect((await inspect()).RestartCount).toBe(RestartCount);
    } finally {
      await writer.end();
    }
  });
});

describe("F50 a crash loop", () => {
  test("F50 tries grow rarer, up and preview name the reason, and once it is mended all is there", async () => {
    const volume = `${stack.target.container}-configuration`;
    const path = "postgresql.conf";
    const before = String(await readVolumeFile(docker, { volume, image: TEST_IMAGE, path }));
    const write = (content: string) =>
      writeVolumeFiles(docker, {
        ...{ volume, image: TEST_IMAGE, directory: "", labels: {} },
        files: [{ path, content, mode: 0o600 }],
      });
    await write(`${before}\nshared_buffers = 'rather a lot'\n`);
    onTestFinished(() => write(before));
    await docker.getContainer(stack.target.container).restart();
    const looping = await stack.project.up();
    expect(looping.code).not.toBe(0);
    expect(errorsOf(looping)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /restarts in a loop \(\d+ times, exit code 1\).*invalid value for parameter "shared_buffers"/,
        ),
      ]),
    );
    expect(looping.output).not.toMatch(/\n\s+at .+:\d+/);
    const health = await stack.project.pgstack(["health"]);
    expect(health.code).toBe(1);
    // Docker doubles the pause after each failure: a few tries in these seconds and not hundreds.
    expect((await inspect()).RestartCount).toBeLessThan(15);
    await write(before);
    await docker.getContainer(stack.target.container).restart();
    await waitUntilReady(stack.target, { timeoutSeconds: 30 });
    expect(await stack.value("(SELECT count(*) > 0 FROM public.killed)")).toBe("true");
    expect((await stack.project.pulumi(NO_CHANGES)).code).toBe(0);
  });
});

describe("F07 by Docker", () => {
  test("F07 docker kill counts as a stop by hand: the container stays down until the next up, and nothing is lost", async () => {
    const before = await stack.value("(SELECT count(*) FROM public.killed)");
    await docker.getContainer(stack.target.container).kill();
    expect((await inspect()).State).toMatchObject({ Running: false, ExitCode: 137 });
    await stack.up();
    expect(await stack.value("(SELECT count(*) FROM public.killed)")).toBe(before);
    expect((await stack.project.pulumi(NO_CHANGES)).code).toBe(0);
  });
});

async function inspect() {
  const container = await findContainer(docker, stack.target.container);
  if (container === undefined) throw new Error("the server's container is gone");
  return container;
}
