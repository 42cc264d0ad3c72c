import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineCommand } from "../../operations/policy-mark.ts";
import { type Ended, TestProject } from "../support/project.ts";

/** What the program says when nothing holds its run against the policies. */
const REFUSED =
  /stack t\w+ is for staging, and this run is not held against the policies: bring it up by npm start/;
/** What it says next: here is no engine. */
const WENT_ON = /no-engine\.sock/;

let project: TestProject;
let elsewhere: string;

beforeAll(async () => {
  project = await TestProject.create({ environment: "staging", backupEncryption: true, memoryLimit: "1GB" });
  elsewhere = await mkdtemp(join(tmpdir(), "pgstack-elsewhere-"));
});

afterAll(async () => {
  await project?.remove();
  await rm(elsewhere, { recursive: true, force: true });
});

/** Runs a line in another folder, with the project's programs on PATH or not; nothing is ever made, as there is no engine. */
function line(command: string, shell: boolean): Promise<Ended> {
  const programs = shell ? `${join(project.directory, "toolchain", "bin")}${delimiter}` : "";
  return project.run("sh", ["-c", `cd '${elsewhere}' && ${command}`], {
    environment: {
      ...{ PGSTACK_POLICIES: "", DOCKER_HOST: `unix://${elsewhere}/no-engine.sock`, STACK: project.stack },
      ...{ PROJECT: project.directory, PATH: `${programs}${process.env["PATH"]}` },
    },
  });
}

describe("staging and production are brought up with the policies, or not at all [B7]", () => {
  test("pulumi by itself is refused by the program", async () => {
    const ended = await line('pulumi -C "$PROJECT" up --yes --skip-preview --stack "$STACK"', false);
    expect(ended.code).not.toBe(0);
    expect(ended.output).toMatch(REFUSED);
    expect(ended.output).not.toMatch(WENT_ON);
  });

  test("in a shell with pgstack env it has them, whatever the order of the arguments and from any folder", async () => {
    const ended = await line(
      'timeout 120 sh -c "pulumi --color never -C \\"$PROJECT\\" --stack $STACK up --yes --skip-preview"',
      true,
    );
    expect(ended.output).toMatch(WENT_ON);
    expect(ended.output).not.toMatch(REFUSED);
    expect(ended.output).toMatch(/Policies:\n +\S+ pgstack@/);
  });

  test("an operator who says so goes without", async () => {
    const ended = await line(
      'PGSTACK_POLICIES=skip pulumi -C "$PROJECT" up --yes --skip-preview --stack "$STACK"',
      false,
    );
    expect(ended.output).toMatch(WENT_ON);
    expect(ended.output).not.toMatch(REFUSED);
  });

  test("a preview without them shows what it would do, and a destroy that runs the program has none", async () => {
    const preview = await line('pulumi -C "$PROJECT" preview --stack "$STACK"', false);
    expect(preview.output).toMatch(WENT_ON);
    const destroy = await line('pulumi -C "$PROJECT" --stack "$STACK" destroy --yes --run-program', false);
    expect(destroy.output).toMatch(WENT_ON);
    expect(destroy.output).not.toMatch(REFUSED);
  });

  test.each([
    ["pulumi up --stack destroy", "up"],
    ["pulumi --stack destroy up", "up"],
    ["pulumi -C refresh up", "up"],
    ["pulumi --color=never --stack=x destroy --yes", "destroy"],
    ["pulumi --non-interactive refresh", "refresh"],
    ["pulumi", "up"],
  ])("%s is told from its words: %s", (words, command) => {
    expect(engineCommand(words.split(" "))).toBe(command);
  });
});
