import { describe, expect, test } from "vitest";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { streamServerLog } from "../../operations/server-log.ts";
import { gatherStatus } from "../../operations/status.ts";
import { runAsSuperuser } from "../../operations/superuser.ts";
import { UserError } from "../../operations/user-error.ts";
import { linesOf, readyStack, session } from "../support/health-stack.ts";

const TIME_LIMIT = 120_000;

describe("status and server log", { timeout: TIME_LIMIT }, () => {
  test("S9 one screen about a running, a stopped and a missing stack", async () => {
    const stack = await readyStack();
    await session(stack, "application");
    const roles = Object.values(stack.credentials).map(({ role }) => role);
    const status = await gatherStatus(stack.target, { roles: [...roles, "nobody_here"] });
    expect(status).toMatchObject({ container: { state: "running", restarts: 0 }, problems: [] });
    expect(status.serverVersion).toMatch(/^16\./);
    expect(status.roles?.map(({ connections, exists }) => [exists, connections])).toEqual([
      [true, 0],
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
    expect(status.volumes[0]?.path).toBe("/var/lib/postgresql/data");
    expect(status.tlsDaysLeft).toBeGreaterThan(0);
    expect(status.disk?.freeBytes).toBeGreaterThan(0);
    expect(status.image?.id).toMatch(/^sha256:/);

    await expect(linesOf(stack, { lines: -1 })).rejects.toThrow(UserError);
    await dockerEngine().getContainer(stack.target.container).stop();
    await expect(linesOf(stack)).rejects.toThrow(/is not running: what it last said/);
    const stopped = await gatherStatus(stack.target, { roles });
    expect(stopped).toMatchObject({ container: { state: "exited" }, serverVersion: undefined });

    const missing = await gatherStatus(
      { ...stack.target, container: `${stack.target.container}-no` },
      { roles },
    );
    expect(missing).toMatchObject({ container: { state: "missing" }, roles: undefined });
    expect(missing.problems[0]).toContain("does not exist");
  });

  test("S9 the server's log is read from its end, and followed over a rotation", async () => {
    const stack = await readyStack({ log_filename: "postgresql-%H%M%S.log" });
    const say = (words: string) => runAsSuperuser(stack.target, `DO $$ BEGIN RAISE LOG '${words}'; END $$`);
    await say("first words");
    const lines = await linesOf(stack, { lines: 5 });
    expect(lines.length).toBeLessThanOrEqual(5);
    expect(lines.join("\n")).toContain("first words");

    const end = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const line of streamServerLog(stack.target, { lines: 0, follow: true, signal: end.signal }))
        seen.push(line);
    })();
    const told = (words: string) =>
      expect
        .poll(() => seen.filter((line) => line.includes(words)).length, { timeout: 10_000 })
        .toBeGreaterThan(0);
    await expect
      .poll(
        async () => {
          await say("second words");
          return seen.some((line) => line.includes("second words"));
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    await runAsSuperuser(stack.target, "SELECT pg_rotate_logfile()");
    await say("third words");
    await told("third words");
    await expect
      .poll(
        async () => {
          await say("fourth words");
          return seen.some((line) => line.includes("fourth words"));
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    expect(seen.filter((line) => line.includes("third words") && line.includes("LOG:"))).toHaveLength(1);
    end.abort();
    await following;
    // Nothing stays behind in the container once the reader is gone.
    await expect
      .poll(
        async () => {
          const command = ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"];
          return (await executeInContainer(stack.target, { command })).stdout.includes("server-log");
        },
        { timeout: 5_000 },
      )
      .toBe(false);
  });
});
