import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentStatus } from "../../../agent/status.ts";
import { callAgent } from "../../../operations/agent.ts";
import { queryAsSuperuser } from "../../../operations/superuser.ts";
import { untilFirstBackup } from "../first-backup.ts";
import { LiveStack } from "../security/live-stack.ts";
import { S3Server } from "./server.ts";

/** File in the project with the storage's own authority. */
export const STORAGE_AUTHORITY = "storage-authority.pem";

/** A stack that backs up into an object storage as well, with the storage; the first backup is taken. */
export async function bringUpWithStorage(): Promise<{
  readonly stack: LiveStack;
  readonly storage: S3Server;
  readonly settings: Readonly<Record<string, unknown>>;
}> {
  let storage: S3Server | undefined;
  let settings: Record<string, unknown> = {};
  const stack = await LiveStack.bringUp({}, async (project) => {
    storage = await S3Server.start(project.stack);
    await writeFile(join(project.directory, STORAGE_AUTHORITY), storage.authority);
    settings = { backup: true, backupEncryption: true, backupS3: storage.setting(STORAGE_AUTHORITY) };
    return settings;
  });
  await untilFirstBackup(stack.target);
  if (storage === undefined) throw new Error("no storage was started");
  return { stack, storage, settings };
}

/** Whether both repositories have everything that is to be archived. */
export async function archived({ target }: LiveStack): Promise<boolean> {
  const [row] = await queryAsSuperuser<{ ok: boolean }>(
    target,
    `SELECT coalesce(last_archived_time > coalesce(last_failed_time, '-infinity'), false)
            AND (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') = 0 AS ok
       FROM pg_stat_archiver`,
  );
  const { queue, archive } = await callAgent<AgentStatus>(target, "status");
  return row?.ok === true && queue.waiting === 0 && archive?.gaps.length === 0;
}
