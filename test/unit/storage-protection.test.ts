import { describe, expect, test } from "vitest";
import { asOf } from "../../agent/as-of.ts";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import { pgbackrest, restoreCommand } from "../../agent/physical/pgbackrest.ts";
import { describeTarget, parseTarget } from "../../agent/restore/target.ts";
import { parseAccess } from "../../agent/storage/access.ts";
import { outOfUse } from "../../agent/storage/purge.ts";
import { sign } from "../../agent/storage/request.ts";
import { type ObjectVersion, parseVersions } from "../../agent/storage/versions.ts";
import { agentConfiguration, pgbackrestOptions } from "../../operations/backup-configuration.ts";
import { evaluateProtection } from "../../operations/health/backup-protection.ts";
import { renderPgbackrestConf } from "../../operations/pgbackrest-conf.ts";
import { keyPolicy, lifecycleRule, type ProtectionState } from "../../operations/storage-protection.ts";

const PLACES = {
  target: { stack: "shop", container: "pgstack-shop", port: 5432, database: "app" },
  ...{ dataDirectory: "/data", jobs: 2, encrypted: true, local: true },
  storage: {
    ...{ endpoint: "s3.example.com:9000", bucket: "backups", region: "eu-1", path: "/pgstack" },
    ...{ key: "K", secret: "S", pathStyle: true, authority: "" },
  },
};
const PLAN = {
  fullDays: 7,
  schedule: { backup: "0 2 * * *", drill: "0 4 * * 0" },
  retention: { days: 7, weeks: 4, months: 6, pitrDays: 10 },
  verification: { coreTables: [], sql: [] },
};
const STATE = { mode: "versioned", days: 17, bucket: "backups", prefix: "pgstack-encrypted/" } as const;

describe("the protection of an object storage (B11)", () => {
  test("asks for the days of the window and of the full backup that it rests on", () => {
    const storage = { ...PLACES.storage, protection: "locked" as const };
    expect(agentConfiguration({ ...PLACES, storage }, PLAN).physical.protection).toEqual({
      mode: "locked",
      days: 17,
    });
    expect(agentConfiguration(PLACES, PLAN).physical).not.toHaveProperty("protection");
  });

  test("is read from what pgBackRest is told, keys included", () => {
    const { local: _, ...options } = pgbackrestOptions(PLACES, "cipher");
    expect(parseAccess(renderPgbackrestConf(options))).toEqual({
      ...{ endpoint: "s3.example.com:9000", bucket: "backups", region: "eu-1", key: "K", secret: "S" },
      ...{ pathStyle: true, prefix: "pgstack-encrypted/" },
    });
  });

  test("gives the stack's key neither versions to delete nor anything of the bucket to change", () => {
    const printed = JSON.stringify([keyPolicy(STATE, "versioned"), keyPolicy(STATE, "locked")]);
    expect(printed).toContain("arn:aws:s3:::backups/pgstack-encrypted/*");
    expect(printed).not.toMatch(/DeleteObjectVersion|Bypass|PutBucket|PutLifecycle|"s3:\*"/);
    expect(lifecycleRule(STATE, 17)).toMatchObject({
      Rules: [
        {
          Filter: { Prefix: "pgstack-encrypted/" },
          NoncurrentVersionExpiration: { NoncurrentDays: 17 },
          Expiration: { ExpiredObjectDeleteMarker: true },
        },
      ],
    });
  });

  test.each<[string, Partial<ProtectionState> | undefined, string, RegExp]>([
    ["it was good", {}, "ok", /from bucket backups stays/],
    ["something is wrong", { problems: ["one", "two"] }, "failed", /is versioned, but one; two$/],
    ["it was never looked at", undefined, "warning", /not looked at yet/],
    ["the window was longer since", { days: 14 }, "warning", /not looked at yet/],
    ["nobody has looked for long", { at: "2026-02-28T20:00:00Z" }, "warning", /looked at last/],
  ])("is told by health: %s", (_, over, status, message) => {
    const now = new Date("2026-03-01T00:30:00Z");
    const state = { ...STATE, at: "2026-03-01T00:00:00Z", problems: [] };
    const found = over === undefined ? undefined : { ...state, ...over };
    const wanted = { mode: STATE.mode, days: STATE.days };
    expect(evaluateProtection({ wanted, found }, now)).toMatchObject({
      status,
      message: expect.stringMatching(message),
    });
    expect(evaluateProtection({ wanted: undefined, found }, now).status).toBe("not applicable");
  });

  // https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
  test("signs its requests as the storage's makers show", () => {
    const { authorization } = sign(
      {
        key: "AKIAIOSFODNN7EXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region: "us-east-1",
      },
      {
        ...{ method: "GET", host: "examplebucket.s3.amazonaws.com", path: "/", search: "lifecycle=" },
        ...{ headers: {}, body: "" },
      },
      new Date("2013-05-24T00:00:00Z"),
    );
    expect(authorization).toContain(
      "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
  });
});

describe("versions (B11)", () => {
  const version = (at: number, over: Partial<ObjectVersion> = {}): ObjectVersion => ({
    ...{ name: "n", versionId: String(at), at, bytes: 1, latest: false, marker: false },
    ...over,
  });
  const ids = (versions: readonly ObjectVersion[]) => versions.map(({ versionId }) => versionId);

  test("are read with their marks of deletion", () => {
    const text = `<ListVersionsResult><DeleteMarker><Key>a&amp;b</Key><VersionId>2</VersionId><IsLatest>true</IsLatest>
      <LastModified>2026-03-02T00:00:00.000Z</LastModified></DeleteMarker><Version><Key>a&amp;b</Key><VersionId>1</VersionId>
      <IsLatest>false</IsLatest><LastModified>2026-03-01T00:00:00.000Z</LastModified><Size>5</Size></Version></ListVersionsResult>`;
    expect(parseVersions(text)).toEqual([
      expect.objectContaining({ name: "a&b", versionId: "2", latest: true, marker: true, bytes: 0 }),
      expect.objectContaining({ name: "a&b", versionId: "1", latest: false, marker: false, bytes: 5 }),
    ]);
  });

  test("go by the time at which they were replaced, however old they are", () => {
    const present = version(30, { latest: true });
    expect(ids(outOfUse([present, version(20), version(10)], 25))).toEqual(["10"]);
    expect(ids(outOfUse([present, version(20), version(10)], 31))).toEqual(["20", "10"]);
    expect(outOfUse([present], 100)).toEqual([]);
    expect(outOfUse([], 100)).toEqual([]);
  });

  test("take the mark of their deletion with them, once all of them go", () => {
    const mark = version(30, { latest: true, marker: true });
    expect(ids(outOfUse([mark, version(20), version(10)], 31))).toEqual(["20", "10", "30"]);
    expect(ids(outOfUse([mark, version(20), version(10)], 30))).toEqual(["10"]);
  });
});

describe("a repository as of a time (B11)", () => {
  const configuration: AgentConfiguration = agentConfiguration(PLACES, PLAN);
  const then = asOf(configuration, "2026-03-01 14:30:00+00");

  test("is the object storage's alone, and nothing of the backup folder", () => {
    expect(asOf(configuration, undefined)).toBe(configuration);
    expect(then.physical).toMatchObject({
      repositories: ["s3"],
      configurationFile: "/etc/pgstack/pgbackrest-s3.conf",
    });
    expect(then.physical).not.toHaveProperty("localDirectory");
    expect(then.backupDirectory).not.toContain(configuration.backupDirectory);
    const { storage: _, ...places } = PLACES;
    expect(() => asOf(agentConfiguration(places, PLAN), "2026-03-01 14:30:00+00")).toThrow(
      "only an object storage keeps what was deleted",
    );
  });

  test("is never written to", async () => {
    const context = { signal: new AbortController().signal };
    for (const command of ["backup", "expire", "archive-push", "stanza-create", "repo-put", "annotate"])
      await expect(pgbackrest(then, command, { context })).rejects.toThrow(`${command} is nothing for`);
  });

  test("gives a server its log as of then, and of now only which timelines there are", () => {
    expect(restoreCommand(configuration, "s3", "/to")).toBe(
      'pgbackrest --config=/etc/pgstack/pgbackrest-s3.conf --stanza=main --pg1-path=/to archive-get %f "%p"',
    );
    expect(restoreCommand(then, "s3", "/to")).toBe(
      'pgbackrest --config=/etc/pgstack/pgbackrest-s3.conf --stanza=main --repo=1 --repo-target-time="2026-03-01 14:30:00+00" --pg1-path=/to archive-get %f "%p" || ' +
        'case %f in *.history) pgbackrest --config=/etc/pgstack/pgbackrest.conf --stanza=main --pg1-path=/to archive-get %f "%p";; *) exit 1;; esac',
    );
  });

  test("goes with every kind of target, and is no time to come", () => {
    const repositoryTime = "2026-03-01T14:30:00Z";
    const target = parseTarget({ type: "latest", repositoryTime });
    expect(target).toEqual({ type: "latest", repositoryTime: "2026-03-01 14:30:00+00" });
    expect(parseTarget(target)).toEqual(target);
    expect(describeTarget(target)).toContain("as of 2026-03-01 14:30:00+00");
    expect(parseTarget({ type: "backup", id: "F", repositoryTime })).toHaveProperty("repositoryTime");
    expect(() => parseTarget({ type: "latest", repositoryTime: "yesterday" })).toThrow("no point in time");
    expect(() => parseTarget({ type: "latest", repositoryTime: "2999-01-01T00:00:00Z" })).toThrow(
      "is in the future",
    );
  });
});
