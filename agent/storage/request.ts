import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { request } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../failure.ts";
import type { StorageAccess } from "./access.ts";

/** One request to an object storage. */
export interface StorageRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Name of an object; absent: the bucket itself. */
  readonly name?: string;
  /** Parameters; one without a value is empty. */
  readonly query?: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What the storage says; a refusal is an answer as well. */
export interface StorageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** The storage gave no answer. */
export class StorageAway extends Error {
  override readonly name = "StorageAway";
}

const ANSWER_MILLISECONDS = 10_000;
/** A storage may be busy, or fail one request of many: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const TRIES = 4;
const FIRST_PAUSE_MILLISECONDS = 200;

/**
 * Asks the storage, again where it fails for a moment.
 *
 * @throws StorageAway when it does not answer.
 */
export async function askStorage(
  access: StorageAccess,
  wanted: StorageRequest,
  { signal }: { readonly signal: AbortSignal },
): Promise<StorageAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      const answer = await send(access, wanted, signal);
      if (attempt === TRIES || !isPassing(answer.status)) return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === TRIES)
        throw new StorageAway(`the object storage does not answer: ${messageOf(error)}`, { cause: error });
    }
    await delay(FIRST_PAUSE_MILLISECONDS * 2 ** (attempt - 1), undefined, { signal });
  }
}

/** The storage's word for what it refused, such as `AccessDenied`; its status where it has none. */
export function refusalOf({ status, body }: StorageAnswer): string {
  return /<Code>([^<]+)<\/Code>/.exec(body)?.[1] ?? `status ${status}`;
}

export function isDone({ status }: StorageAnswer): boolean {
  return status >= 200 && status < 300;
}

/** 501 says that the storage will never do it. */
function isPassing(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501);
}

async function send(
  access: StorageAccess,
  { method, name = "", query = {}, headers = {}, body = "" }: StorageRequest,
  signal: AbortSignal,
): Promise<StorageAnswer> {
  const { endpoint, bucket, pathStyle, authority } = access;
  const host = pathStyle ? endpoint : `${bucket}.${endpoint}`;
  const path = `${pathStyle ? `/${bucket}` : ""}/${name.split("/").map(encode).join("/")}`;
  const search = Object.entries(query)
    .map(([key, value]) => `${encode(key)}=${encode(value)}`)
    .sort()
    .join("&");
  const signed = sign(access, { method, host, path, search, headers, body }, new Date());
  const [hostname = "", port] = host.split(":");
  const outgoing = request({
    ...{ method, hostname, path: search === "" ? path : `${path}?${search}`, agent: false },
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(authority === undefined ? {} : { ca: authority }),
    headers: { ...signed, "content-length": String(Buffer.byteLength(body)) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MILLISECONDS)]),
  });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, "response")) as [import("node:http").IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body: Buffer.concat(pieces).toString("utf8"),
  };
}

interface Unsigned {
  readonly method: string;
  readonly host: string;
  /** Encoded, as is the next. */
  readonly path: string;
  readonly search: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The headers that prove who asks: AWS Signature, version 4.
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function sign(
  { key, secret, region }: Pick<StorageAccess, "key" | "secret" | "region">,
  { method, host, path, search, headers, body }: Unsigned,
  now: Date,
): Record<string, string> {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const content = sha256(body);
  const all: Record<string, string> = {
    ...headers,
    host,
    "x-amz-content-sha256": content,
    "x-amz-date": time,
  };
  const names = Object.keys(all).sort();
  const canonical = [
    ...[method, path, search],
    ...names.map((name) => `${name}:${all[name]}`),
    ...["", names.join(";"), content],
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const signingKey = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  const signature = hmac(
    signingKey,
    ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n"),
  ).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${key}/${scope},SignedHeaders=${names.join(";")},Signature=${signature}`;
  return { ...all, authorization };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** RFC 3986, stricter than the language's own. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** What a body is checked by where the storage insists. */
export function contentMd5(body: string): { readonly "content-md5": string } {
  return { "content-md5": createHash("md5").update(body).digest("base64") };
}
