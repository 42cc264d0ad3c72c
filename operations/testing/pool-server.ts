import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import { errorLine, UserError } from "../user-error.ts";
import type { Lease, PoolEntry } from "./lease-table.ts";

/** What the service gives out. */
export interface Served {
  acquire(request: {
    readonly seconds: number;
    readonly takenBy: string;
    readonly waitSeconds?: number;
  }): Promise<Lease>;
  reset(lease: string): Promise<Lease>;
  release(lease: string): Promise<void>;
  list(): Promise<readonly PoolEntry[]>;
  keepReady(): void;
}

/** How {@link servePool} answers. */
export interface PoolServerOptions {
  /** 0: any free port. */
  readonly port: number;
  /** What callers must know: they get passwords. */
  readonly token: string;
  /** What a caller is told of a lease beside its own fields: how to connect. */
  readonly connection: (database: string) => Readonly<Record<string, unknown>>;
}

/** A running service. */
export interface PoolServer {
  readonly port: number;
  close(): Promise<void>;
}

const ADDRESS = "127.0.0.1";
const MOST_BODY_BYTES = 16 * 1024;
const EXPIRY_MILLISECONDS = 1_000;
/** How long connections that wait for no answer may stay after closing began. */
const CLOSING_MILLISECONDS = 5_000;

const wish = z.strictObject({
  /** Seconds after which the database is taken back. */
  seconds: z.number().int().min(1).max(86_400).default(600),
  /** Seconds to wait for one where the pool is at its limit. */
  waitSeconds: z.number().min(0).max(300).default(30),
  /** Shown by `list`. */
  takenBy: z
    .string()
    .max(200)
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "control characters are not taken")
    .default("http"),
});

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/**
 * Serves a pool over HTTP on this machine, for test runners in any language (JSON, `Authorization: Bearer …`):
 * `POST /databases` gives one out, `POST /databases/{lease}/reset` puts a fresh copy in its place, `DELETE
 * /databases/{lease}` takes it back, `GET /databases` lists all.
 *
 * @throws UserError when the port can't be had.
 */
export async function servePool(pool: Served, options: PoolServerOptions): Promise<PoolServer> {
  const stop = new AbortController();
  /** Requests that are not answered yet, by their connection. */
  const awaited = new Map<Socket, IncomingMessage>();
  // A caller that computes for long does not see that an idle connection was closed: none is.
  const server = createServer({ requestTimeout: 120_000, keepAliveTimeout: 0 }, (request, response) => {
    const respond = (result: Answer) => {
      // What is left of a request that was refused is no other request.
      if (stop.signal.aborted || !request.complete) response.setHeader("connection", "close");
      send(response, result);
    };
    awaited.set(request.socket, request);
    response.once("close", () => awaited.delete(request.socket));
    answer(pool, options, request)
      .then(respond, (error: unknown) => respond(failure(error)))
      .finally(() => awaited.delete(request.socket));
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await listen(server, options.port);
  const expiry = (async () => {
    while (!stop.signal.aborted) {
      pool.keepReady();
      await delay(EXPIRY_MILLISECONDS, undefined, { signal: stop.signal }).catch(() => {});
    }
  })();
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      stop.abort();
      await expiry;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // Who waits for an answer gets it; who is still sending what was refused, says nothing or does not read keeps nothing open.
      const late = setInterval(() => {
        for (const socket of sockets) if (awaited.get(socket)?.complete !== true) socket.destroy();
      }, CLOSING_MILLISECONDS);
      await closed;
      clearInterval(late);
    },
  };
}

async function answer(
  pool: Served,
  { token, connection }: PoolServerOptions,
  request: IncomingMessage,
): Promise<Answer> {
  if (!isAuthorized(request, token)) return { status: 401, body: { error: "the token is missing or wrong" } };
  const { pathname } = urlOf(request);
  const [, place, lease = "", verb] = pathname.split("/");
  if (place !== "databases") return { status: 404, body: { error: `there is no ${pathname}` } };
  const told = (one: Lease) => ({ ...one, ...connection(one.database) });
  switch (`${request.method} ${lease === "" ? "" : "lease"}${verb === undefined ? "" : `/${verb}`}`) {
    case "GET ":
      return { status: 200, body: await pool.list() };
    case "POST ":
      return { status: 201, body: told(await pool.acquire(await wishOf(request))) };
    case "POST lease/reset":
      return { status: 200, body: told(await pool.reset(lease)) };
    case "DELETE lease":
      await pool.release(lease);
      return { status: 204 };
    default:
      return { status: 405, body: { error: `${request.method} ${pathname} is none of the verbs` } };
  }
}

function isAuthorized({ headers }: IncomingMessage, token: string): boolean {
  const given = Buffer.from(headers.authorization ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function urlOf({ url = "/" }: IncomingMessage): URL {
  try {
    return new URL(url, `http://${ADDRESS}`);
  } catch {
    throw new UserError("the request's address is not right");
  }
}

/** The body. One that is too long is refused at once; what still comes of it is thrown away, so that the caller reads the answer. */
function bodyOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    request.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes <= MOST_BODY_BYTES) pieces.push(piece);
      else reject(new UserError(`the request is too long: ${MOST_BODY_BYTES} bytes are the limit`));
    });
    request.once("end", () => resolve(Buffer.concat(pieces)));
    request.once("error", reject);
    request.once("close", () => reject(new UserError("the request was cut short")));
  });
}

async function wishOf(request: IncomingMessage): Promise<z.infer<typeof wish>> {
  const text = (await bodyOf(request)).toString("utf8");
  const parsed = wish.safeParse(text === "" ? {} : parseJson(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UserError(`${issue?.path.join(".") || "the request"}: ${issue?.message ?? "is not right"}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError("the request is no JSON");
  }
}

function failure(error: unknown): Answer {
  const message = errorLine(error);
  if (!(error instanceof UserError)) return { status: 500, body: { error: message } };
  if (message.startsWith("no database is free")) return { status: 503, body: { error: message } };
  return { status: message.startsWith("there is no lease") ? 404 : 400, body: { error: message } };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(body === undefined ? "" : `${JSON.stringify(body)}\n`);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new UserError(`--port ${port} cannot be had: ${errorLine(error)}`, { cause: error })),
    );
    server.listen({ port, host: ADDRESS }, resolve);
  });
}
