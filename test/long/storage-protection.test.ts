import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { PurgeResult } from "../../agent/storage/purge.ts";
import { callAgent } from "../../operations/agent.ts";
import { executeInContainer } from "../../operations/execute.ts";
import { removeContainers, removeStorage } from "../../operations/stack-things.ts";
import { keyPolicy, type ProtectionState } from "../../operations/storage-protection.ts";
import { StorageAgent } from "../support/s3/agent.ts";
import { S3Server, type UserStatement } from "../support/s3/server.ts";

const stack = `t${randomBytes(4).toString("hex")}`;
const network = `pgstack-${stack}-storage`;
const ENABLED = versioning("Enabled");

let storage: S3Server;
let versioned: StorageAgent;
let locked: StorageAgent;

beforeAll(async () => {
  storage = await S3Server.start(stack, { network, withUser: true });
  versioned = await StorageAgent.start(stack, storage, { network, mode: "versioned" });
  locked = await StorageAgent.start(stack, storage, { network, mode: "locked" });
});

afterAll(async () => {
  await removeContainers(stack);
  await removeStorage(stack);
});

function versioning(status: string): string {
  return `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`;
}

function lock(retention: string): string {
  return `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${retention}</ObjectLockConfiguration>`;
}

/** The statements that the stack prints for its key, without some actions and with others. */
function printed({ without = [], and = [] }: { without?: string[]; and?: string[] } = {}): UserStatement[] {
  const { Statement } = keyPolicy({ bucket: "backups", prefix: "pgstack/" }, "locked") as {
    Statement: { Action: string[]; Resource: string }[];
  };
  return Statement.map(({ Action, Resource }) => {
    const objects = Resource.replace("arn:aws:s3:::backups", "");
    const more = and.filter((action) => action.includes("Bucket") === (objects === ""));
    return { actions: [...Action.filter((action) => !without.includes(action)), ...more], objects };
  });
}

async function problems({ target, container }: StorageAgent): Promise<readonly string[]> {
  const state = await callAgent<ProtectionState>(target, "storage-protection", {}, { container });
  return state.problems;
}

async function emptyBucket(lockable = false): Promise<void> {
  await storage.shell("rm -rf data/* versions/* attributes/*");
  const headers: Record<string, string> = lockable ? { "x-amz-bucket-object-lock-enabled": "true" } : {};
  await storage.own({ method: "PUT", headers });
}

describe("a bucket that is to keep versions (B11)", { timeout: 120_000 }, () => {
  beforeEach(async () => {
    await emptyBucket();
    await storage.allow(...printed());
  });

  test("is refused without versions, and where they are suspended, before anything is written", async () => {
    expect(await problems(versioned)).toEqual(["versioning of bucket backups is off: enable it"]);
    await storage.own({ method: "PUT", query: { versioning: "" }, body: ENABLED });
    await storage.own({ method: "PUT", query: { versioning: "" }, body: versioning("Suspended") });
    expect(await problems(versioned)).toEqual(["versioning of bucket backups is suspended: enable it"]);
    const { body } = await storage.own({ method: "GET", query: { versions: "" } });
    expect(body).not.toContain("<Key>");
  });

  test("is taken with the policy that the stack prints, time and again by one object alone", async () => {
    await storage.own({ method: "PUT", query: { versioning: "" }, body: ENABLED });
    expect(await problems(versioned)).toEqual([]);
    expect(await problems(versioned)).toEqual([]);
    const { body } = await storage.own({ method: "GET", query: { versions: "" } });
    expect(body.match(/<Key>[^<]*/g)).toEqual(["<Key>pgstack/pgstack-probe"]);
  });

  test.each<[string, { without?: string[]; and?: string[] }, string]>([
    ["delete versions", { and: ["s3:DeleteObjectVersion"] }, "take s3:DeleteObjectVersion away from it"],
    [
      "change the versioning",
      { and: ["s3:PutBucketVersioning"] },
      "take s3:PutBucketVersioning away from it",
    ],
    ["set the policy", { and: ["s3:PutBucketPolicy"] }, "take s3:PutBucketPolicy away from it"],
    ["not read the versioning", { without: ["s3:GetBucketVersioning"] }, "give it s3:GetBucketVersioning"],
    ["not read versions", { without: ["s3:GetObjectVersion"] }, "give it s3:GetObjectVersion"],
    ["not list versions", { without: ["s3:ListBucketVersions"] }, "give it s3:ListBucketVersions"],
    ["not write", { without: ["s3:PutObject"] }, "cannot write"],
  ])("is refused with a key that can %s", async (_, change, words) => {
    await storage.own({ method: "PUT", query: { versioning: "" }, body: ENABLED });
    await storage.allow(...printed(change));
    expect(await problems(versioned)).toEqual([expect.stringContaining(words)]);
    const { body } = await storage.own({ method: "GET", query: { versioning: "" } });
    expect(body).toContain("<Status>Enabled</Status>");
  });

  test("the storage is away: that is said, and is not taken for good", async () => {
    await storage.stop();
    await expect(problems(versioned)).rejects.toThrow("the object storage does not answer");
    await storage.startAgain();
    await storage.untilAnswering();
  });
});

describe("a bucket that is to be locked (B11)", { timeout: 120_000 }, () => {
  const retention = (mode: string, days: number) =>
    lock(`<Rule><DefaultRetention><Mode>${mode}</Mode><Days>${days}</Days></DefaultRetention></Rule>`);
  const set = (body: string) => storage.own({ method: "PUT", query: { "object-lock": "" }, body });

  beforeEach(async () => {
    await emptyBucket(true);
    await storage.allow(...printed());
  });

  test("is refused without a lock, without a default retention and with one that is too short", async () => {
    await emptyBucket();
    await storage.own({ method: "PUT", query: { versioning: "" }, body: ENABLED });
    await storage.allow(...printed());
    expect(await problems(locked)).toEqual([expect.stringMatching(/has no object lock.* 14 days or more/)]);
    await emptyBucket(true);
    await storage.allow(...printed());
    expect(await problems(locked)).toEqual([expect.stringContaining("has no default retention")]);
    await set(retention("COMPLIANCE", 13));
    expect(await problems(locked)).toEqual([expect.stringContaining("has a default retention of 13 days")]);
  });

  test.each(["COMPLIANCE", "GOVERNANCE"])(
    "is taken in mode %s, also with a key that may delete versions",
    async (mode) => {
      await set(retention(mode, 14));
      expect(await problems(locked)).toEqual([]);
      await storage.allow(...printed({ and: ["s3:DeleteObjectVersion"] }));
      expect(await problems(locked)).toEqual([]);
    },
  );

  test("is refused with a key that gets round the lock, or may change it", async () => {
    await set(retention("GOVERNANCE", 14));
    await storage.allow(...printed({ and: ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"] }));
    expect(await problems(locked)).toEqual([expect.stringContaining("s3:BypassGovernanceRetention away")]);
    await storage.allow(...printed({ and: ["s3:PutBucketObjectLockConfiguration"] }));
    expect(await problems(locked)).toEqual([
      expect.stringContaining("take s3:PutBucketObjectLockConfiguration away"),
    ]);
  });
});

describe("versions that were deleted long ago (B11)", { timeout: 120_000 }, () => {
  const info = "pgstack/backup/main/backup.info";
  const put = (name: string, body: string) => storage.own({ method: "PUT", name, body });

  async function purge(keys: object, days: number, before?: string): Promise<PurgeResult> {
    const { target, container } = versioned;
    await executeInContainer(target, {
      command: ["sh", "-c", "cat > /tmp/keys"],
      input: JSON.stringify(keys),
    });
    const parameters = { days, keysFile: "/tmp/keys", ...(before === undefined ? {} : { before }) };
    return callAgent(target, "purge-versions", parameters, { container });
  }

  async function names(): Promise<string[]> {
    const { body } = await storage.own({ method: "GET", query: { versions: "" } });
    return [...body.matchAll(/<Key>([^<]*)/g)].map(([, name = ""]) => name).sort();
  }

  beforeEach(async () => {
    await emptyBucket();
    await storage.allow(...printed());
    await storage.own({ method: "PUT", query: { versioning: "" }, body: ENABLED });
    await put(info, "one");
    await put(info, "two");
    await put("pgstack/backup/main/20260101-020000F/bundle/1", "data");
    await storage.own({ method: "DELETE", name: "pgstack/backup/main/20260101-020000F/bundle/1" });
    await put("other/backup/main/backup.info", "of another stack");
    await put("other/backup/main/backup.info", "of another stack, newer");
  });

  test("are told with the backups that they are of, and removed by keys that may, and nothing else is", async () => {
    // Times are of whole seconds.
    const before = new Date(Date.now() + 2_000).toISOString();
    await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(Date.parse(before));
    const found = await purge(storage.owner, 0);
    expect(found).toMatchObject({ versions: 3, refused: 0, backups: ["20260101-020000F"] });
    expect(await names()).toHaveLength(6);
    expect(await purge(storage.owner, 1)).toMatchObject({ versions: 0 });
    expect(await purge(storage.keys, 0, found.before)).toMatchObject({ versions: 3, refused: 3 });
    expect(await names()).toHaveLength(6);
    expect(await purge(storage.owner, 0, found.before)).toMatchObject({ versions: 3, refused: 0 });
    expect(await names()).toEqual([
      ...["other/backup/main/backup.info", "other/backup/main/backup.info", info],
    ]);
  });

  test("stay while the repository is deleted: they are all that is left of it", async () => {
    await storage.own({ method: "DELETE", name: info });
    await expect(purge(storage.owner, 0)).rejects.toThrow(/nothing was removed: .*backup\.info is deleted/);
    expect(await names()).toHaveLength(7);
  });
});
