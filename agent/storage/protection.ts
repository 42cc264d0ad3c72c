import { join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { output } from "../program.ts";
import { type StorageAccess, storageAccess } from "./access.ts";
import {
  askStorage,
  contentMd5,
  isDone,
  refusalOf,
  type StorageAnswer,
  type StorageRequest,
} from "./request.ts";

/** What a bucket is to see to, so that whoever has the stack's key cannot delete backups for good. */
export interface Protection {
  /** `versioned`: what is deleted or overwritten stays as a version; `locked`: no key at all removes it for some days. */
  readonly mode: "versioned" | "locked";
  /** Days that what was deleted or overwritten stays. */
  readonly days: number;
}

/** How a bucket was found. */
export interface ProtectionState extends Protection {
  /** Of the repository. */
  readonly bucket: string;
  readonly prefix: string;
  /** ISO 8601. */
  readonly at: string;
  /** Why backups could be deleted for good, or not be had back, a sentence each; empty: they are protected. */
  readonly problems: readonly string[];
}

type Ask = (request: StorageRequest) => Promise<StorageAnswer>;

/** Name of the object that deletions are tried on, below the repository's path. No other object is touched. */
export const PROBE = "pgstack-probe";
/** What no storage takes for a configuration: whoever may set one is told so, and nothing is set. */
const NO_CONFIGURATION = "-";

/**
 * Looks whether the bucket protects the backups as the settings say, and tries on an object of its own whether the stack's
 * key really cannot delete for good. Undefined: the settings ask for no protection.
 *
 * @throws StorageAway when the storage does not answer.
 */
export async function checkProtection(
  configuration: AgentConfiguration,
  context: Pick<Context, "signal">,
): Promise<ProtectionState | undefined> {
  const { protection } = configuration.physical;
  if (protection === undefined) return undefined;
  const access = await storageAccess(configuration);
  const ask: Ask = (request) => askStorage(access, request, context);
  const found = [
    ...(await versioningProblems(ask, access)),
    ...(protection.mode === "locked" ? await lockProblems(ask, access, protection.days) : []),
  ];
  const problems =
    found.length > 0
      ? found
      : [
          ...(await probeProblems(ask, access, protection)),
          ...(await powerProblems(ask, access, protection)),
        ];
  const { bucket, prefix } = access;
  return { ...protection, bucket, prefix, at: new Date().toISOString(), problems };
}

async function versioningProblems(ask: Ask, { bucket }: StorageAccess): Promise<string[]> {
  const answer = await ask({ method: "GET", query: { versioning: "" } });
  if (!isDone(answer)) return [unreadable("versioning", bucket, "s3:GetBucketVersioning", answer)];
  const status = /<Status>(\w+)<\/Status>/.exec(answer.body)?.[1];
  return status === "Enabled"
    ? []
    : [`versioning of bucket ${bucket} is ${status === undefined ? "off" : status.toLowerCase()}: enable it`];
}

async function lockProblems(ask: Ask, { bucket }: StorageAccess, days: number): Promise<string[]> {
  const answer = await ask({ method: "GET", query: { "object-lock": "" } });
  const wanted = `give it one with a default retention of ${days} days or more, or set protection to versioned`;
  if (answer.status === 404) return [`bucket ${bucket} has no object lock: ${wanted}`];
  if (!isDone(answer))
    return [unreadable("object lock", bucket, "s3:GetBucketObjectLockConfiguration", answer)];
  const number = (name: string) =>
    Number(new RegExp(`<${name}>(\\d+)</${name}>`).exec(answer.body)?.[1] ?? 0);
  const retention = number("Days") + 365 * number("Years");
  return retention >= days
    ? []
    : [
        `the object lock of bucket ${bucket} has ${retention === 0 ? "no default retention" : `a default retention of ${retention} days`}: ${wanted}`,
      ];
}

/** What the stack's key can do to a version of an object that is like a backup's. */
async function probeProblems(ask: Ask, access: StorageAccess, { mode }: Protection): Promise<string[]> {
  const name = join(access.prefix, PROBE);
  // One that was made before the lock has none.
  for (const last of mode === "locked" ? [false, true] : [true]) {
    const probe = await probeVersion(ask, name);
    if (typeof probe !== "string") return probe.problems;
    if (await canDelete(ask, name, probe)) {
      if (!last) continue;
      return [
        `the stack's key can delete versions in bucket ${access.bucket}: take s3:DeleteObjectVersion${mode === "locked" ? " and s3:BypassGovernanceRetention" : ""} away from it`,
      ];
    }
    const read = await ask({ method: "HEAD", name, query: { versionId: probe } });
    const listed = await ask({ method: "GET", query: { versions: "", prefix: name, "max-keys": "1" } });
    return [
      ...(isDone(read) ? [] : ["the stack's key cannot read versions: give it s3:GetObjectVersion"]),
      ...(isDone(listed) ? [] : ["the stack's key cannot list versions: give it s3:ListBucketVersions"]),
    ];
  }
  return [];
}

/** The version of the probe, which is made where it is not there. */
async function probeVersion(ask: Ask, name: string): Promise<string | { readonly problems: string[] }> {
  const there = await ask({ method: "HEAD", name });
  const found = there.headers["x-amz-version-id"];
  // Made before versions were kept, it is `null`, and nothing like a backup of now.
  if (isDone(there) && typeof found === "string" && found !== "null") return found;
  const body = "Deletions are tried on this object, which is no backup.\n";
  const headers = (await sendsChecksums()) ? contentMd5(body) : {};
  const made = await ask({ method: "PUT", name, body, headers });
  const version = made.headers["x-amz-version-id"];
  if (isDone(made) && typeof version === "string") return version;
  if (isDone(made)) return { problems: ["the storage tells no version of what is written to it"] };
  return {
    problems: [
      made.status === 400 && !("content-md5" in headers)
        ? `the storage takes no object of pgBackRest 2.55 into a locked bucket, as that sends no checksum (${refusalOf(made)}): use an image with 2.56 or later, or set protection to versioned`
        : `the stack's key cannot write (${refusalOf(made)})`,
    ],
  };
}

/** 2.55 alone leaves out the checksum that AWS asks for in buckets with a lock: https://pgbackrest.org/release.html#v2.56.0 */
async function sendsChecksums(): Promise<boolean> {
  return !/ 2\.55\b/.test(await output("pgbackrest", ["version"]));
}

async function canDelete(ask: Ask, name: string, versionId: string): Promise<boolean> {
  const query = { versionId };
  for (const headers of [{}, { "x-amz-bypass-governance-retention": "true" }]) {
    if (isDone(await ask({ method: "DELETE", name, query, headers }))) return true;
  }
  return false;
}

/** What would undo the protection from then on. Each try is one that changes nothing where it is allowed. */
async function powerProblems(ask: Ask, { bucket }: StorageAccess, { mode }: Protection): Promise<string[]> {
  const enabled =
    '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>';
  const tries: readonly (readonly [what: string, permission: string, query: string, body: string])[] = [
    ["change the versioning", "s3:PutBucketVersioning", "versioning", enabled],
    ["set lifecycle rules", "s3:PutLifecycleConfiguration", "lifecycle", NO_CONFIGURATION],
    ["set the policy", "s3:PutBucketPolicy", "policy", NO_CONFIGURATION],
    ...(mode === "locked"
      ? ([
          ["change the object lock", "s3:PutBucketObjectLockConfiguration", "object-lock", NO_CONFIGURATION],
        ] as const)
      : []),
  ];
  const problems: string[] = [];
  for (const [what, permission, query, body] of tries) {
    const answer = await ask({ method: "PUT", query: { [query]: "" }, body, headers: contentMd5(body) });
    // A storage that looks at the text before it looks at the permission refuses the text.
    if (isDone(answer) || answer.status === 400)
      problems.push(`the stack's key can ${what} of bucket ${bucket}: take ${permission} away from it`);
  }
  return problems;
}

function unreadable(what: string, bucket: string, permission: string, answer: StorageAnswer): string {
  return answer.status === 403
    ? `the stack's key cannot read the ${what} of bucket ${bucket}: give it ${permission}`
    : `the ${what} of bucket ${bucket} cannot be read (${refusalOf(answer)})`;
}
