import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { BackupEntry } from "../../agent/entry.ts";
import { callAgent } from "../../operations/agent.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { keyPolicy } from "../../operations/storage-protection.ts";
import { queryAsSuperuser } from "../../operations/superuser.ts";
import type { Target } from "../../operations/target.ts";
import { untilFirstBackup } from "../support/first-backup.ts";
import { TestProject } from "../support/project.ts";
import { S3Server, type UserStatement } from "../support/s3/server.ts";
import { archived, STORAGE_AUTHORITY } from "../support/s3/stack.ts";
import { LiveStack } from "../support/security/live-stack.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

/** The repository is encrypted, and so has another path. */
const PREFIX = "pgstack-encrypted/";
const ENABLED = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

let project: TestProject;
let stack: LiveStack;
let storage: S3Server;
/** All is in the storage, and nothing is deleted yet. */
let then: string;
/** The physical backups in the storage at that moment. */
let there: string[];

beforeAll(async () => {
  project = await TestProject.create({});
  storage = await S3Server.start(project.stack, { withUser: true });
  await writeFile(join(project.directory, STORAGE_AUTHORITY), storage.authority);
  await project.configure({
    ...{ backup: true, backupEncryption: true, archiveTimeoutSeconds: 5 },
    backupS3: storage.setting(STORAGE_AUTHORITY, { protection: "versioned" }),
  });
  await storage.own({ method: "PUT" });
  await storage.own({ method: "PUT", query: { versioning: "" }, body: ENABLED });
});

afterAll(() => project?.remove());

/** The policy that the stack prints, with more. */
function statements(more: readonly string[] = []): UserStatement[] {
  const { Statement } = keyPolicy({ bucket: "backups", prefix: PREFIX }, "versioned") as {
    Statement: { Action: string[]; Resource: string }[];
  };
  return Statement.map(({ Action, Resource }) => {
    const objects = Resource.replace("arn:aws:s3:::backups", "");
    return { actions: [...Action, ...(objects === "" ? [] : more)], objects };
  });
}

async function keysOf(query: Record<string, string>): Promise<string[]> {
  const { body } = await storage.own({ method: "GET", query });
  return [...body.matchAll(/<Key>([^<]*)/g)].map(([, name = ""]) => name);
}

async function entries(target: Target): Promise<string[]> {
  const sql = "SELECT entry FROM public.ledger ORDER BY entry";
  const rows = await queryAsSuperuser<{ entry: string }>(target, sql, { database: "app" });
  return rows.map(({ entry }) => entry);
}

async function listed(...options: string[]): Promise<string[]> {
  const { code, stdout, output } = await project.pgstack(["backups", "--json", ...options]);
  expect(code, output).toBe(0);
  const { backups } = JSON.parse(stdout) as { backups: BackupEntry[] };
  return backups.filter(({ repositories }) => repositories.includes("s3")).map(({ id }) => id);
}

/** Times of a storage are of whole seconds: what was written before this is not later than it, what comes after it is. */
async function betweenSeconds(): Promise<string> {
  const moment = Math.ceil(Date.now() / 1_000) * 1_000 + 1_000;
  await expect.poll(() => Date.now(), { timeout: 10_000, interval: 100 }).toBeGreaterThan(moment + 1_000);
  return new Date(moment).toISOString().replace(".000", "");
}

describe("an object storage whose backups the stack's key cannot delete (B11)", () => {
  test("a key that can delete versions is refused before any backup is written, and up goes through with the policy that is printed", async () => {
    await storage.allow(...statements(["s3:DeleteObjectVersion"]));
    const refused = await project.up();
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(
      /pgstack:backupS3\.protection is versioned, but the stack's key can delete versions in bucket backups: take s3:DeleteObjectVersion away from it/,
    );
    // What was tried is gone again, as it could be deleted.
    expect(await keysOf({ versions: "" })).toEqual([]);
    await storage.allow(...statements());
    const ended = await project.up();
    expect(ended.code, ended.output).toBe(0);
    stack = await LiveStack.of(project);
    await untilFirstBackup(stack.target);
    expect(await stack.checkStatus("backup protection")).toBe("ok");
    const shown = await project.pgstack(["backups", "--protection"]);
    expect([shown.code, shown.stdout], shown.output).toEqual([0, expect.stringContaining("NoncurrentDays")]);
  });

  test("everything is deleted with the stack's own key, here and there; its versions it cannot delete", async () => {
    await stack.write(
      "CREATE TABLE public.ledger (entry text); INSERT INTO public.ledger VALUES ('in the backup');",
    );
    await callAgent(stack.target, "backup", { kind: "full", waitSeconds: 60 });
    await stack.write("INSERT INTO public.ledger VALUES ('in the log');");
    await callAgent(stack.target, "archive-now");
    await expect.poll(() => archived(stack), { timeout: 120_000, interval: 500 }).toBe(true);
    then = await betweenSeconds();
    there = await listed();
    expect(there.length).toBeGreaterThan(1);

    expect(await storage.deleteAll(PREFIX)).toBeGreaterThan(10);
    const agent = { ...stack.target, container: `${stack.target.container}-agent` };
    const command = ["sh", "-c", "rm -rf /backups/pgbackrest* /backups/stream /backups/logical"];
    expect((await executeInContainer(agent, { command })).exitCode).toBe(0);
    const [info] = await keysOf({ versions: "", prefix: `${PREFIX}backup/main/backup.info` });
    const { body } = await storage.own({ method: "GET", query: { versions: "", prefix: String(info) } });
    for (const [, versionId = ""] of body.matchAll(/<VersionId>([^<]*)/g)) {
      const request = { method: "DELETE", name: String(info), query: { versionId } } as const;
      expect((await storage.ask(request, storage.keys)).status).toBe(403);
    }
  });

  test("what was there is listed, and restored into a new stack with all that was acknowledged", async () => {
    expect(await listed("--repository-time", then)).toEqual(there);
    const clone = project.sibling("a");
    await storage.join(clone.stack);
    const words = ["restore", "--latest", "--repository-time", then, "--into", clone.stack];
    const ended = await project.pgstack(words);
    expect(ended.code, ended.output).toBe(0);
    expect(await entries(clone.target)).toEqual(["in the backup", "in the log"]);
  });

  test("it is restored in place, and backups go on in the bucket", async () => {
    await stack.write("INSERT INTO public.ledger VALUES ('later');");
    const words = ["restore", "--latest", "--repository-time", then, "--yes"];
    const ended = await project.pgstack(words);
    expect(ended.code, ended.output).toBe(0);
    expect(await entries(stack.target)).toEqual(["in the backup", "in the log"]);
    const now = await listed();
    expect(now.length).toBeGreaterThan(0);
    expect(now.filter((id) => there.includes(id))).toEqual([]);
    expect(await listed("--repository-time", then)).toEqual(there);
  });

  test("retention with other keys tells what it would remove; nothing is that old", async () => {
    const { key, secret } = storage.owner;
    const environment = { PGSTACK_PURGE_KEY: key, PGSTACK_PURGE_SECRET: secret };
    const without = await project.pgstack(["backups", "--purge-versions", "--dry-run"]);
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining("PGSTACK_PURGE_KEY")]);
    const words = ["backups", "--purge-versions", "--dry-run", "--json"];
    const ended = await project.pgstack(words, { environment });
    expect(ended.code, ended.output).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ versions: 0, refused: 0, backups: [] });
    expect(ended.output).not.toContain(secret);
  });
});
