import { describe, expect, onTestFinished, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { ContainerNotRunning, executeInContainer } from "../../operations/execute.ts";
import { ServerNotReady, waitUntilReady } from "../../operations/readiness.ts";
import { queryAsSuperuser, runAsSuperuser } from "../../operations/superuser.ts";
import { LABEL_STACK } from "../../operations/target.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { startServer, type TestServer, type TestServerOptions } from "../support/server.ts";

async function started(options: TestServerOptions): Promise<TestServer> {
  const server = await startServer({ ready: false, ...options });
  onTestFinished(() => server.remove());
  return server;
}

async function notReady(server: TestServer, timeoutSeconds = 60): Promise<ServerNotReady> {
  const error = await waitUntilReady(server.target, { timeoutSeconds }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ServerNotReady);
  expect(String(error)).not.toContain("\n");
  return error as ServerNotReady;
}

describe("P1 readiness", () => {
  test("P1 a new server is waited for, and an old one costs one look", async () => {
    const server = await started({});
    const progress: string[] = [];
    await waitUntilReady(server.target, {
      timeoutSeconds: 60,
      onProgress: (message) => progress.push(message),
    });
    expect(progress.at(-1)).toMatch(/PostgreSQL/);
    expect(new Set(progress).size).toBe(progress.length);
    // Over TCP, so the real server and not the one that initializes.
    const { stdout } = await executeInContainer(server.target, {
      command: ["psql", "-Atc", "SHOW listen_addresses", "postgres"],
      user: "postgres",
    });
    expect(stdout).toBe("*\n");
    await waitUntilReady(server.target, { timeoutSeconds: 1 });
  });

  test("P1 the wait can be ended", async () => {
    const server = await started({ command: ["sleep", "600"] });
    const controller = new AbortController();
    const wait = waitUntilReady(server.target, {
      timeoutSeconds: 60,
      signal: controller.signal,
      onProgress: () => setImmediate(() => controller.abort(new Error("enough"))),
    });
    await expect(wait).rejects.toThrow("enough");
  });

  test("P4 a server that never answers is given up in time, with what it said", async () => {
    const server = await started({ command: ["sh", "-c", "echo FATAL: nothing here >&2; exec sleep 600"] });
    const error = await notReady(server, 10);
    expect(error.message).toMatch(/did not accept connections within 10 seconds: FATAL: nothing here/);
  });

  test("P4 a container that ends is told at once, with its last lines", async () => {
    const server = await started({ parameters: "shared_buffers = 'a lot'\n" });
    const before = performance.now();
    const error = await notReady(server, 600);
    expect(performance.now() - before).toBeLessThan(30_000);
    expect(error.message).toMatch(/has ended \(exit code 1\): .*shared_buffers/);
    expect(error.logLines.length).toBeGreaterThan(0);
  });

  test.each(["kill", "restart"] as const)(
    "P4 a program is no success when its container ends by a %s",
    async (end) => {
      const server = await started({ command: ["sleep", "600"] });
      const container = dockerEngine().getContainer(server.target.container);
      const outcome = executeInContainer(server.target, { command: ["sleep", "300"] }).catch(
        (error: unknown) => error,
      );
      await expect
        .poll(async () => JSON.stringify((await container.top()).Processes), { timeout: 20_000 })
        .toContain("sleep 300");
      await (end === "kill" ? container.kill() : container.restart({ t: 0 }));
      // Whether the engine still knows the program by then is chance.
      if (!((await outcome) instanceof ContainerNotRunning))
        expect(await outcome).toMatchObject({ exitCode: 137 });
    },
  );

  test("P4 a container that does not exist", async () => {
    const server = await started({ command: ["sleep", "600"] });
    await dockerEngine().getContainer(server.target.container).remove({ force: true });
    expect((await notReady(server)).message).toMatch(/does not exist/);
  });

  test("F50 a crash loop is given up after a few restarts", async () => {
    const server = await started({ parameters: "no_such_parameter = 1\n", restart: "always" });
    const error = await notReady(server, 600);
    expect(error.message).toMatch(/restarts in a loop \(3 times, exit code 1\): .*no_such_parameter/);
  });

  test("F06 a full data volume is named, and the server goes on with its data by itself once there is room", async () => {
    const server = await started({ dataSize: "80m" });
    const { target } = server;
    await waitUntilReady(target, { timeoutSeconds: 60 });
    await runAsSuperuser(target, "CREATE TABLE public.kept AS SELECT 42 AS answer");
    const docker = dockerEngine();
    // What is in memory lasts as long as a container has it.
    const holder = await docker.createContainer({
      Image: TEST_IMAGE,
      User: "postgres",
      Cmd: ["sleep", "600"],
      Labels: { [LABEL_STACK]: target.stack },
      HostConfig: { Mounts: [{ Type: "volume", Source: `${target.stack}-data`, Target: "/data" }] },
    });
    const inHolder = (script: string) =>
      executeInContainer(
        { ...target, container: holder.id },
        { command: ["sh", "-c", script], user: "postgres" },
      );
    await holder.start();
    // A server that was killed may find room for a while; one that was stopped needs some for its lock file.
    const container = docker.getContainer(target.container);
    await container.stop();
    await inHolder("cat /dev/zero >/data/filler");
    await container.start();
    const error = await notReady(server);
    expect(error.message).toMatch(/is held: .*No space left on device.* 1 MB more: make room/);
    expect(error.logLines.join("\n")).toContain("FATAL:  the server is held");

    await inHolder("rm /data/filler");
    await waitUntilReady(target, { timeoutSeconds: 60 });
    expect(await queryAsSuperuser(target, "SELECT answer FROM public.kept")).toEqual([{ answer: 42 }]);
  });
});
