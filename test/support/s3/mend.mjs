// What the S3 server tells otherwise than S3 does, where it keeps versions: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
import { readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const { sign } = await import(join(import.meta.dirname, "agent/storage/request.ts"));
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * @param {string} url
 * @param {string} body
 * @param {{folder: string, port: string}} behind
 */
export async function mended(url, body, behind) {
  const { pathname, searchParams } = new URL(url, "https://s3.test");
  if (searchParams.has("versions")) return inOrder(body);
  if (!searchParams.has("delimiter")) return body;
  let left = body;
  for (const [whole, prefix = ""] of body.matchAll(
    /<CommonPrefixes><Prefix>([^<]*)<\/Prefix><\/CommonPrefixes>/g,
  )) {
    if (!(await holdsAnything(pathname, prefix, behind))) left = left.replace(whole, "");
  }
  return left;
}

/**
 * The newest version of an object comes first, marks of deletion among the others. Each has the time at which it was made, which its
 * id begins with; the server has that at which it was put aside: https://github.com/ulid/spec
 *
 * @param {string} body
 */
function inOrder(body) {
  const pattern = /<(Version|DeleteMarker)>.*?<\/\1>/gs;
  const field = (/** @type {string} */ one, /** @type {string} */ name) =>
    new RegExp(`<${name}>([^<]*)`).exec(one)?.[1] ?? "";
  const entries = [...body.matchAll(pattern)].map(([one]) => {
    const id = field(one, "VersionId");
    const at = [...id.slice(0, 10)].reduce((sum, digit) => sum * 32 + DIGITS.indexOf(digit), 0);
    const time = id === "null" ? field(one, "LastModified") : new Date(at).toISOString();
    return { key: field(one, "Key"), id, entry: one.replace(/(<LastModified>)[^<]*/, `$1${time}`) };
  });
  entries.sort(
    (one, other) => (one.key < other.key ? -1 : Number(one.key > other.key)) || (one.id < other.id ? 1 : -1),
  );
  const listed = entries.map(({ entry }) => entry).join("");
  return body.replace(pattern, "").replace("</ListVersionsResult>", `${listed}</ListVersionsResult>`);
}

/**
 * A prefix below which everything is deleted is none.
 *
 * @param {string} path
 * @param {string} prefix
 * @param {{folder: string, port: string}} behind
 */
async function holdsAnything(path, prefix, { folder, port }) {
  const keys = {
    key: readFileSync(`${folder}/access`, "utf8"),
    secret: readFileSync(`${folder}/secret`, "utf8"),
    region: "us-east-1",
  };
  const search = `list-type=2&max-keys=1&prefix=${encodeURIComponent(prefix)}`;
  const request = { method: "GET", host: `127.0.0.1:${port}`, path, search, headers: {}, body: "" };
  const headers = sign(keys, request, new Date());
  const answer = await new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: `${path}?${search}`, headers }, resolve).on("error", reject);
  });
  return (await text(answer)).includes("<Key>");
}

/**
 * What is written after a deletion is there: the server leaves the mark of that in its place.
 *
 * @param {string} url
 * @param {{folder: string}} behind
 */
export function forgetDeletion(url, { folder }) {
  const { pathname } = new URL(url, "https://s3.test");
  rmSync(join(folder, "attributes", decodeURIComponent(pathname), "meta", "delete-marker"), { force: true });
}
