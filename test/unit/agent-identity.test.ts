import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import { IDENTITY_FILE, requireOwnFolder } from "../../agent/identity.ts";

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pgstack-identity-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const of = (backupDirectory: string, stack = "shop") => ({ backupDirectory, stack }) as AgentConfiguration;

test("all who find a backup folder empty at the same time are told one identity, and nothing else is left in it", async () => {
  for (let round = 0; round < 20; round += 1) {
    const folder = await emptyFolder();
    const told = await Promise.all(Array.from({ length: 16 }, () => requireOwnFolder(of(folder))));
    expect(new Set(told.map(({ id }) => id)).size).toBe(1);
    expect(await readdir(folder)).toEqual([IDENTITY_FILE]);
    expect(await requireOwnFolder(of(folder))).toEqual(told[0]);
  }
});

test("a folder of another stack is refused", async () => {
  const folder = await emptyFolder();
  await requireOwnFolder(of(folder));
  await expect(requireOwnFolder(of(folder, "other"))).rejects.toThrow(
    "the backup folder is that of stack shop",
  );
});
