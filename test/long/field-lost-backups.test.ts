import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callAgent } from "../../operations/agent.ts";
import { dockerEngine, findVolume } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { errorsOf } from "../support/up.ts";

const docker = dockerEngine();

describe("a volume of backups that is gone (C4)", () => {
  let stack: LiveStack;
  let volume: string;

  beforeAll(async () => {
    stack = await LiveStack.bringUp({ backup: true });
    volume = `${stack.target.container}-backups`;
    await stack.write("CREATE TABLE public.kept AS SELECT 7 AS n;");
  });

  afterAll(() => stack?.project.remove());

  test("that is there is not replaced", async () => {
    const refused = await stack.project.pgstack(["backups", "--replace-lost", "--yes"]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `pgstack: nothing was changed: the backups of stack ${stack.target.stack} are where they were\n`,
    ]);
  });

  test("is refused by up and preview before anything is made, with both ways out in one line", async () => {
    for (const name of [`${stack.target.container}-agent`, stack.target.container]) {
      await docker.getContainer(name).remove({ force: true });
    }
    await docker.getVolume(volume).remove();
    for (const ended of [await stack.project.up(), await stack.project.pulumi(["preview"])]) {
      expect(ended.code).not.toBe(0);
      expect(errorsOf(ended)).toEqual([
        `nothing was changed: the volume ${volume} with the backups of stack ${stack.target.stack} is gone. Bring it back under this name, or give them up: ./pgstack --stack ${stack.target.stack} backups --replace-lost makes an empty one, and the next up takes a full backup`,
      ]);
    }
    expect(await findVolume(docker, volume)).toBeUndefined();
    expect((await stack.project.things()).containers).toEqual([]);
  });

  test("is given up by command alone, and the next up backs the same database up anew", async () => {
    const unasked = await stack.project.pgstack(["backups", "--replace-lost"]);
    expect([unasked.code, unasked.stderr]).toEqual([
      2,
      expect.stringMatching(/not a terminal: pass --yes to give the lost backups up/),
    ]);
    expect(await findVolume(docker, volume)).toBeUndefined();

    const given = await stack.project.pgstack(["backups", "--replace-lost", "--yes"]);
    expect(given.code, given.output).toBe(0);
    const labels = (await findVolume(docker, `${stack.target.container}-data`))?.Labels;
    expect((await findVolume(docker, volume))?.Labels).toEqual(labels);
    await stack.up();
    await expectBackedUp();
  });

  test("and one that was emptied in place is told by the next up, and given up the same way", async () => {
    const agent = { ...stack.target, container: `${stack.target.container}-agent` };
    await executeInContainer(agent, { command: ["sh", "-c", "rm -rf /backups/* /backups/.[a-z]*"] });
    const health = await stack.project.pgstack(["health", "--full"]);
    expect(health.code).toBe(1);
    expect(health.output).toContain("the backup folder is another one than before");
    const refused = await stack.project.up();
    expect(refused.code).not.toBe(0);
    expect(errorsOf(refused)).toEqual([
      expect.stringMatching(
        /^the backup folder is another one than before .* by pgstack backups --replace-lost and pulumi up$/,
      ),
    ]);
    const given = await stack.project.pgstack(["backups", "--replace-lost", "--yes"]);
    expect(given.code, given.output).toBe(0);
    await stack.up();
    await expectBackedUp();
  });

  async function expectBackedUp(): Promise<void> {
    expect(await stack.value("(SELECT n FROM public.kept)")).toBe("7");
    await expect
      .poll(async () => (await callAgent<{ entries: { kind: string }[] }>(stack.target, "list")).entries, {
        timeout: 120_000,
      })
      .toContainEqual(expect.objectContaining({ kind: "full" }));
    const preview = await stack.project.pulumi(["preview", "--refresh", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
    const health = await stack.project.pgstack(["health"]);
    expect(health.code, health.output).toBe(0);
  }
});
