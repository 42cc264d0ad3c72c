import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeRecoverySettings } from "../../agent/restore/automatic-settings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("L7 what a recovery has left is taken out, and what ALTER SYSTEM has set stays", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "postgresql.auto.conf");
  await writeFile(path, "restore_command = 'x'\nwork_mem = '1MB'\nrecovery_target_time = 'y'\n");
  await removeRecoverySettings(folder);
  expect(await readFile(path, "utf8")).toBe("work_mem = '1MB'\n");
});
