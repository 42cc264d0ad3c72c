import { readFile } from "node:fs/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { Refusal } from "../failure.ts";
import { type StorageAccess, type StorageKeys, storageAccess } from "./access.ts";
import { PROBE } from "./protection.ts";
import { askStorage, contentMd5, isDone, refusalOf } from "./request.ts";
import { eachObject, escapeXml, type ObjectVersion, storageTime } from "./versions.ts";

/** What is to be removed for good. */
export interface PurgeRequest {
  /** Days that a version stays after it was deleted or overwritten. */
  readonly days: number;
  /** As a look has told it; absent: look only. */
  readonly before?: string;
  /** File with the keys of somebody who may delete versions, as JSON. */
  readonly keysFile: string;
}

/** What is, or was, removed for good. */
export interface PurgeResult {
  readonly versions: number;
  readonly bytes: number;
  /** Only what was deleted or overwritten before; ISO 8601. */
  readonly before: string;
  /** Backups of which something is among it, as far as they are no more in the repository. */
  readonly backups: readonly string[];
  /** What the storage did not let go of, such as what is locked. */
  readonly refused: number;
  /** Its word for that. */
  readonly reason?: string;
}

const DAY_MILLISECONDS = 86_400_000;
/** As many as the storage takes at once: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
const AT_ONCE = 1_000;

/**
 * Removes versions that were deleted or overwritten longer ago than retention keeps them, with keys that are not the stack's.
 *
 * @throws Refusal when the repository itself is deleted: then they are all that is left of it.
 */
export async function purgeVersions(
  configuration: AgentConfiguration,
  { days, before, keysFile }: PurgeRequest,
  context: Context,
): Promise<PurgeResult> {
  const access = { ...(await storageAccess(configuration)), ...(await readKeys(keysFile)) };
  // The storage's clock counts, as all times are its own: this machine's may be wrong.
  const latest = Math.min(await storageTime(access, context), Date.now()) - days * DAY_MILLISECONDS;
  const limit = before === undefined ? latest : Math.min(latest, Date.parse(before));
  if (Number.isNaN(limit)) throw new Refusal(`${JSON.stringify(before)} is no time`);
  const root = `${access.prefix}backup/${configuration.physical.stanza}/`;
  await requireRepository(access, root, context);
  const removal = before === undefined ? undefined : new Removal(access, context);
  const [there, touched] = [new Set<string>(), new Set<string>()];
  let [versions, bytes] = [0, 0];
  for (const below of ["archive/", "backup/", PROBE]) {
    for await (const object of eachObject(access, `${access.prefix}${below}`, context)) {
      const [present] = object;
      const label = labelIn(present?.name ?? "", root);
      if (label !== undefined && present?.marker === false) there.add(label);
      for (const one of outOfUse(object, limit)) {
        versions += 1;
        bytes += one.bytes;
        if (label !== undefined) touched.add(label);
        await removal?.add(one);
      }
    }
  }
  await removal?.finish();
  const backups = [...touched].filter((one) => !there.has(one)).sort();
  const { refused = 0, reason } = removal ?? {};
  return {
    ...{ versions, bytes, before: new Date(limit).toISOString(), backups, refused },
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Where it is deleted, its versions may be all that is left of the backups. */
async function requireRepository(access: StorageAccess, root: string, context: Context): Promise<void> {
  const name = `${root}backup.info`;
  const answer = await askStorage(access, { method: "HEAD", name }, context);
  if (isDone(answer)) return;
  throw new Refusal(
    answer.status === 404
      ? `nothing was removed: ${name} is deleted, so versions may be all that is left of the backups. pgstack backups --repository-time TIME lists what was there`
      : `nothing was removed: these keys cannot read ${name} (${refusalOf(answer)})`,
  );
}

/** Versions of one object, the newest first, that are out of use since before a time: each since the next one was made. */
export function outOfUse(versions: readonly ObjectVersion[], before: number): ObjectVersion[] {
  const [present, ...former] = versions;
  if (present === undefined) return [];
  const going = former.filter((_, index) => (versions[index]?.at ?? Number.POSITIVE_INFINITY) < before);
  // The mark of a deletion goes with the last version that it hides.
  const isBare = present.marker && present.at < before && going.length === former.length;
  return isBare ? [...going, present] : going;
}

function labelIn(name: string, root: string): string | undefined {
  if (!name.startsWith(root)) return undefined;
  return /^(\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?)\//.exec(name.slice(root.length))?.[1];
}

/** Removes versions, as many at once as the storage takes. */
class Removal {
  /** What the storage did not let go of. */
  refused = 0;
  reason: string | undefined;
  readonly #access: StorageAccess;
  readonly #context: Context;
  #waiting: ObjectVersion[] = [];

  constructor(access: StorageAccess, context: Context) {
    this.#access = access;
    this.#context = context;
  }

  async add(version: ObjectVersion): Promise<void> {
    this.#waiting.push(version);
    if (this.#waiting.length === AT_ONCE) await this.finish();
  }

  async finish(): Promise<void> {
    const going = this.#waiting.splice(0);
    if (going.length === 0) return;
    this.#context.step(`removing versions from bucket ${this.#access.bucket}`);
    const objects = going.map(
      ({ name, versionId }) =>
        `<Object><Key>${escapeXml(name)}</Key><VersionId>${escapeXml(versionId)}</VersionId></Object>`,
    );
    const body = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects.join("")}</Delete>`;
    const request = { method: "POST", query: { delete: "" }, body, headers: contentMd5(body) } as const;
    const answer = await askStorage(this.#access, request, this.#context);
    if (!isDone(answer)) throw new Refusal(`the storage refuses to remove versions (${refusalOf(answer)})`);
    const errors = [...answer.body.matchAll(/<Error>.*?<\/Error>/gs)];
    this.refused += errors.length;
    this.reason ??= /<Code>([^<]+)<\/Code>/.exec(errors[0]?.[0] ?? "")?.[1];
  }
}

async function readKeys(path: string): Promise<StorageKeys> {
  const { key, secret } = JSON.parse(await readFile(path, "utf8")) as Partial<StorageKeys>;
  if (typeof key !== "string" || typeof secret !== "string") throw new Refusal("there are no keys");
  return { key, secret };
}
