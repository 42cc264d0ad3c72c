import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerEngine, findContainer } from "../../operations/docker.ts";
import { expectWhole } from "../support/killed-up.ts";
import { TestProject } from "../support/project.ts";
import { SecondEngine } from "../support/second-engine.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { writeSql } from "../support/up.ts";
import { Writer } from "../support/writer.ts";

const shared = process.env.DOCKER_HOST;
let engine: SecondEngine;
let project: TestProject;

beforeAll(async () => {
  engine = await SecondEngine.start();
  // Everything below, the project's own programs too, talks to this engine.
  process.env.DOCKER_HOST = engine.host;
  project = await TestProject.create();
  const sql = await writeSql(
    project,
    "rows.sql",
    "CREATE TABLE public.rows (n int);\nINSERT INTO public.rows VALUES (1);\n",
  );
  await project.configure({ initSql: [sql] });
});

afterAll(async () => {
  await project?.remove().catch(() => {});
  await engine?.remove();
  if (shared === undefined) delete process.env.DOCKER_HOST;
  else process.env.DOCKER_HOST = shared;
});

describe("F07 the engine during up", () => {
  test.each([
    ["killed while the container is made", "Container server creating", () => engine.kill()],
    ["stopped while the roles are made", "database-administrator creating", () => engine.stop()],
  ])("F07 P4 %s: up fails cleanly or finishes", async (_how, text, end) => {
    let ended: Promise<void> | undefined;
    const up = await project.up([], {
      onStart: (child) => {
        let output = "";
        child.stdout?.on("data", (piece: Buffer) => {
          output += piece;
          if (ended === undefined && output.includes(text)) ended = Promise.resolve(end());
        });
      },
    });
    expect(ended).toBeDefined();
    await ended;
    if (up.code !== 0) expect(up.output).toMatch(/error: .*(Docker|docker)/);
    await engine.startAgain();
  });

  test("F07 P4 the next up finishes, and nothing is left over", async () => {
    const up = await project.up();
    expect(up.code, up.output).toBe(0);
    await expectWhole(project);
    expect((await project.pulumi(["preview", "--refresh", "--expect-no-changes"])).code).toBe(0);
  });
});

describe("F07 the engine while idle", () => {
  test.each([
    ["stopped and started", () => engine.stop()],
    ["killed and started", async () => engine.kill()],
  ])("F07 L8 %s under load: the database comes back by itself, nothing lost", async (how, end) => {
    const stack = await LiveStack.of(project);
    const writer = await Writer.start(stack, `during_${how.replaceAll(" ", "_")}`);
    try {
      await writer.progress();
      await end();
      await engine.startAgain();
      await writer.progress();
      await writer.finish();
    } finally {
      await writer.end();
    }
    expect(await stack.value("(SELECT n FROM public.rows)")).toBe("1");
    await expect
      .poll(async () => (await findContainer(dockerEngine(), project.container))?.State.Health?.Status, {
        timeout: 20_000,
      })
      .toBe("healthy");
    expect((await project.pulumi(["preview", "--refresh", "--expect-no-changes"])).code).toBe(0);
  });
});
