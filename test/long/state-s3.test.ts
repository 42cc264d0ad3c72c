import { rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, type RunOptions, TestProject } from "../support/project.ts";
import { LocalS3Server } from "../support/s3/local-server.ts";

let project: TestProject;
let server: LocalS3Server;

beforeAll(async () => {
  server = await LocalS3Server.start();
  project = await TestProject.create();
});

afterAll(async () => {
  await project?.remove();
  await server?.remove();
});

const there = (options: RunOptions = {}): RunOptions => ({ ...options, environment: server.environment });

function succeeded(ended: Ended): Ended {
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

async function requireNoChanges(): Promise<void> {
  succeeded(await project.pulumi(["preview", "--refresh", "--expect-no-changes"], there()));
}

describe("G2 the state in an object storage", () => {
  test("G2 F39 a stack moves there by its saved state, and one run at a time has it", async () => {
    succeeded(await project.up());
    const { stdout } = succeeded(await project.pgstack(["state", "save"]));
    const file = stdout.replace("Saved: ", "").trim();
    const init = ["stack", "init", project.stack, "--non-interactive"];
    succeeded(await project.run("pulumi", init, there()));
    succeeded(await project.pgstack(["state", "restore", "--file", file, "--yes"], there()));
    await requireNoChanges();
    succeeded(await project.pgstack(["health"], there()));
    let second: Promise<Ended> | undefined;
    const first = await project.up(
      [],
      there({
        onStart: (child) =>
          child.stdout?.on("data", (piece: Buffer) => {
            if (second === undefined && String(piece).includes("pulumi:pulumi:Stack"))
              second = project.up([], there());
          }),
      }),
    );
    succeeded(first);
    const refused = await second;
    expect(refused?.code).not.toBe(0);
    expect(refused?.output).toMatch(/the stack is currently locked by 1 lock/);
  });

  test("F40 saved around changes; deleted there, it is restored; damaged there, the line says what to do", async () => {
    succeeded(await project.pgstack(["rotate", "application"], there()));
    const object = server.object(".pulumi", "stacks", "pgstack", `${project.stack}.json`);
    await writeFile(object, '{"version": 3, "checkp');
    const damaged = await project.pgstack(["status"], there());
    expect([damaged.code, damaged.stderr]).toEqual([
      ...[1, expect.stringMatching(/the state of stack \w+ is damaged and can't be read .*state restore/)],
    ]);
    const refused = await project.pgstack(["state", "restore", "--yes"], there());
    expect([refused.code, refused.stderr]).toEqual([
      ...[1, expect.stringMatching(/move the file \.pulumi\/stacks\/pgstack\/\w+\.json away there/)],
    ]);
    await rm(object);
    succeeded(await project.pgstack(["state", "restore", "--yes"], there()));
    await requireNoChanges();
    succeeded(await project.pgstack(["health"], there()));
  });

  test("G2 a storage that is away: one line, nothing changed", async () => {
    const away = {
      ...server.environment,
      PULUMI_BACKEND_URL: "s3://state?endpoint=http://127.0.0.1:9&region=us-east-1&s3ForcePathStyle=true",
    };
    const ended = await project.pgstack(["state", "save"], { environment: away });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/^pgstack: .*(refused|connect)/);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
  });

  test("L9 destroyed with its state there: nothing is left", async () => {
    succeeded(await project.pulumi(["destroy", "--yes", "--skip-preview"], there()));
    expect(await project.things()).toEqual({ containers: [], volumes: [], networks: [] });
  });
});
