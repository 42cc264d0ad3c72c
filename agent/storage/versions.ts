import type { Context } from "../context.ts";
import type { StorageAccess } from "./access.ts";
import { askStorage, isDone, refusalOf } from "./request.ts";

/** One version of an object, or the mark that it was deleted. */
export interface ObjectVersion {
  readonly name: string;
  readonly versionId: string;
  /** When it was made, in milliseconds since 1970. */
  readonly at: number;
  readonly bytes: number;
  /** The present state of the object. */
  readonly latest: boolean;
  readonly marker: boolean;
}

/** One page of the versions in a bucket, with where the next one begins. */
interface Page {
  readonly versions: readonly ObjectVersion[];
  readonly next?: Readonly<Record<string, string>>;
}

/** The versions of one object below a prefix after the other, the newest first; what is held at a time is a page. */
export async function* eachObject(
  access: StorageAccess,
  prefix: string,
  context: Pick<Context, "signal">,
): AsyncGenerator<readonly ObjectVersion[]> {
  let next: Readonly<Record<string, string>> | undefined = {};
  let open: readonly ObjectVersion[] = [];
  while (next !== undefined) {
    const page: Page = await listPage(access, { versions: "", prefix, ...next }, context);
    next = page.next;
    // An object may go on upon the next page.
    const last = next?.["key-marker"];
    const isOpen = ({ name }: ObjectVersion) => last !== undefined && name >= last;
    const all = [...open, ...page.versions];
    open = all.filter(isOpen);
    const objects = Map.groupBy(
      all.filter((one) => !isOpen(one)),
      ({ name }) => name,
    );
    for (const versions of objects.values()) yield newestFirst(versions);
  }
}

/** The storage's own time, in milliseconds since 1970. */
export async function storageTime(access: StorageAccess, context: Pick<Context, "signal">): Promise<number> {
  const query = { versions: "", prefix: access.prefix, "max-keys": "1" };
  const { headers } = await askStorage(access, { method: "GET", query }, context);
  const time = Date.parse(String(headers["date"]));
  if (Number.isNaN(time)) throw new Error("the object storage does not tell its time");
  return time;
}

function newestFirst(versions: readonly ObjectVersion[]): ObjectVersion[] {
  return versions.toSorted((one, other) => Number(other.latest) - Number(one.latest) || other.at - one.at);
}

async function listPage(
  access: StorageAccess,
  query: Readonly<Record<string, string>>,
  context: Pick<Context, "signal">,
): Promise<Page> {
  const answer = await askStorage(access, { method: "GET", query }, context);
  if (!isDone(answer))
    throw new Error(`the versions in bucket ${access.bucket} cannot be listed (${refusalOf(answer)})`);
  const next =
    field(answer.body, "IsTruncated") === "true"
      ? {
          "key-marker": field(answer.body, "NextKeyMarker") ?? "",
          ...marker(field(answer.body, "NextVersionIdMarker")),
        }
      : undefined;
  return {
    versions: parseVersions(answer.body),
    ...(next === undefined ? {} : { next }),
  };
}

function marker(versionId: string | undefined): Readonly<Record<string, string>> {
  return versionId === undefined ? {} : { "version-id-marker": versionId };
}

/** Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html */
export function parseVersions(text: string): ObjectVersion[] {
  return [...text.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)].map(([, kind, inner = ""]) => ({
    name: field(inner, "Key") ?? "",
    versionId: field(inner, "VersionId") ?? "",
    at: Date.parse(field(inner, "LastModified") ?? ""),
    bytes: Number(field(inner, "Size") ?? 0),
    latest: field(inner, "IsLatest") === "true",
    marker: kind === "DeleteMarker",
  }));
}

function field(text: string, name: string): string | undefined {
  const value = new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  return value === undefined || value === "" ? undefined : unescapeXml(value);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hexadecimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal));
  });
}

export function escapeXml(text: string): string {
  return text.replaceAll(/[<>"'&]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
