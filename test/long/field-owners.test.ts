import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { agentContainer, callAgent } from "../../operations/agent.ts";
import { dockerEngine } from "../../operations/docker.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { CONFIGURATION_DIRECTORY } from "../../operations/postgresql-conf.ts";
import { TEST_IMAGE } from "../support/image.ts";
import { TestProject } from "../support/project.ts";
import { LiveStack } from "../support/security/live-stack.ts";
import { errorsOf } from "../support/up.ts";

const docker = dockerEngine();

/** Runs a command as root on a folder of the Docker host, which the tests' user may not own. */
async function onFolder(folder: string, script: string): Promise<void> {
  const container = await docker.createContainer({
    ...{ Image: TEST_IMAGE, User: "0", Entrypoint: ["sh", "-c", script] },
    HostConfig: { Binds: [`${folder}:/folder`], NetworkMode: "none" },
  });
  try {
    await container.start();
    expect(await container.wait()).toEqual({ StatusCode: 0 });
  } finally {
    await container.remove({ force: true, v: true });
  }
}

describe("a place for backups belongs to one stack (A12)", () => {
  let folder: string;
  let stack: LiveStack;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pgstack-backups-"));
    // As a disk of its own has it.
    await onFolder(folder, "mkdir /folder/lost+found && chmod 700 /folder/lost+found && chown 70:70 /folder");
    stack = await LiveStack.bringUp({ backup: true, backupDirectory: folder });
    await stack.write("CREATE TABLE public.kept AS SELECT 7 AS n;");
  });

  afterAll(async () => {
    await stack?.project.remove();
    await onFolder(folder, "rm -rf /folder/* /folder/.[a-z]*");
    await rm(folder, { recursive: true, force: true });
  });

  async function backUp(): Promise<BackupEntry> {
    const [entry] = await callAgent<BackupEntry[]>(stack.target, "backup", { kind: "full", waitSeconds: 60 });
    return entry as BackupEntry;
  }

  test("a folder with lost+found takes backups", async () => {
    expect(await backUp()).toMatchObject({ kind: "full", verification: { result: "ok" } });
  });

  test("another stack's up on the same folder is refused, and the first one archives and backs up on", async () => {
    const other = await TestProject.create({ backup: true, backupDirectory: folder });
    try {
      const ended = await other.up();
      expect(ended.code).not.toBe(0);
      expect(errorsOf(ended)).toEqual([
        `the backup folder is that of stack ${stack.target.stack}: set pgstack:backupDirectory or pgstack:backupVolumeName to another`,
      ]);
      await callAgent(stack.target, "archive-now");
      expect(await backUp()).toMatchObject({ verification: { result: "ok" } });
    } finally {
      await other.remove();
    }
  });

  test("a repository that another stack has marked as its own is left as it is", async () => {
    const record = `archive/main/pgstack-lineage.json`;
    const pgbackrest = (command: string, input = "") =>
      executeInContainer(
        { ...stack.target, container: agentContainer(stack.target.container) },
        {
          command: [
            "sh",
            "-c",
            `pgbackrest --config=${CONFIGURATION_DIRECTORY}/pgbackrest.conf ${command} ${record}`,
          ],
          input,
        },
      );
    const own = (await pgbackrest("repo-get")).stdout;
    expect(JSON.parse(own)).toMatchObject({ stack: stack.target.stack });
    await pgbackrest("repo-put", JSON.stringify({ ...JSON.parse(own), stack: "shop" }));
    await expect(backUp()).rejects.toThrow(
      "repository local is that of stack shop: set pgstack:backupS3 to another bucket or path",
    );
    await pgbackrest("repo-put", own);
    expect(await backUp()).toMatchObject({ verification: { result: "ok" } });
  });

  test("the stack itself, destroyed and made again, goes on in it, and restores what it has now", async () => {
    const destroyed = await stack.project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    await stack.up();
    await stack.write("CREATE TABLE public.kept AS SELECT 8 AS n;");
    expect(await backUp()).toMatchObject({ kind: "full", verification: { result: "ok" } });
    const restored = await stack.project.pgstack(["restore", "--latest", "--yes"]);
    expect(restored.code, restored.output).toBe(0);
    expect(await stack.value("(SELECT n FROM public.kept)")).toBe("8");
  });
});
