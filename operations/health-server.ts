import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { HealthReport } from "./health.ts";
import { errorLine, UserError } from "./user-error.ts";
import { withinTime } from "./within-time.ts";

/** How {@link serveHealth} answers. */
export interface HealthServerOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Address to listen on. Default: 127.0.0.1; the answers name the stack and its problems, but no secrets. */
  readonly address?: string;
  /** Makes one report. Never called again before it has ended. */
  readonly check: () => Promise<HealthReport>;
  /** Seconds that a result answers for. Default: 5. */
  readonly cacheSeconds?: number;
  /** Seconds after which a check that has not ended counts as failed. Default: 15. */
  readonly checkTimeoutSeconds?: number;
  /** Closes the server. */
  readonly signal?: AbortSignal;
}

/** A running health server. */
export interface HealthServer {
  readonly address: string;
  readonly port: number;
  /** Takes no more requests, lets those under way end, and resolves when the port is free. */
  close(): Promise<void>;
  /** Resolves when the server is closed, by {@link close} or by the signal. */
  readonly closed: Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const DEFAULT_CACHE_SECONDS = 5;
const DEFAULT_CHECK_TIMEOUT_SECONDS = 15;
/** How long open requests may still take after closing began. */
const CLOSING_MILLISECONDS = 3_000;

/**
 * Serves health over HTTP for orchestrators and load balancers (GET and HEAD, JSON):
 * `/health` the whole report, `/health/ready` its status only, both 503 when it failed; `/health/live` always 200
 * while this process answers. A storm of probes costs the database one check for each {@link HealthServerOptions.cacheSeconds}.
 *
 * @throws UserError when the port can't be had.
 */
export async function serveHealth(options: HealthServerOptions): Promise<HealthServer> {
  const current = cached(options);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 });
  server.maxRequestsPerSocket = 1_000;
  // Node closes connections between two requests by itself, but not those that have asked for nothing yet.
  const silent = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  server.on("request", (request, response) => {
    silent.delete(request.socket);
    answer(request, current).then(
      (result) => send(request, response, result, server.listening),
      (error: unknown) =>
        send(
          request,
          response,
          { status: 503, body: { status: "failed", message: errorLine(error) } },
          server.listening,
        ),
    );
  });
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  await listen(server, options);
  const { address, port } = server.address() as AddressInfo;

  const close = async () => {
    if (server.listening) {
      server.close();
      for (const socket of silent) socket.destroy();
      const late = setTimeout(() => server.closeAllConnections(), CLOSING_MILLISECONDS);
      await closed;
      clearTimeout(late);
    }
    await closed;
  };
  if (options.signal?.aborted === true) await close();
  options.signal?.addEventListener("abort", () => void close(), { once: true });
  return { address, port, close, closed };
}

async function answer(request: IncomingMessage, current: () => Promise<HealthReport>): Promise<Answer> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: 405, body: { message: "only GET and HEAD" }, headers: { allow: "GET, HEAD" } };
  }
  const [path] = (request.url ?? "/").split("?", 1);
  switch (path) {
    case "/health/live":
      return { status: 200, body: { status: "ok" } };
    case "/health": {
      const report = await current();
      return { status: httpStatus(report), body: report };
    }
    case "/health/ready": {
      const report = await current();
      return {
        status: httpStatus(report),
        body: { status: report.status, stack: report.stack, at: report.at },
      };
    }
    default:
      return { status: 404, body: { message: "there are /health, /health/ready and /health/live" } };
  }
}

function httpStatus(report: HealthReport): number {
  return report.status === "failed" ? 503 : 200;
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, headers }: Answer,
  keepAlive: boolean,
): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(keepAlive ? {} : { connection: "close" }),
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** One check at a time; its result, good or bad, answers for a while. */
function cached({
  check,
  cacheSeconds,
  checkTimeoutSeconds,
}: HealthServerOptions): () => Promise<HealthReport> {
  const keepMilliseconds = (cacheSeconds ?? DEFAULT_CACHE_SECONDS) * 1_000;
  const limitMilliseconds = (checkTimeoutSeconds ?? DEFAULT_CHECK_TIMEOUT_SECONDS) * 1_000;
  let running: Promise<HealthReport> | undefined;
  let endedAt = Number.NEGATIVE_INFINITY;
  let ended = false;
  return async () => {
    if (running === undefined || (ended && performance.now() - endedAt >= keepMilliseconds)) {
      ended = false;
      const started = Promise.resolve().then(check);
      running = started;
      const end = () => {
        ended = true;
        endedAt = performance.now();
      };
      started.then(end, end);
    }
    return await withinTime(running, limitMilliseconds, "the check");
  };
}

async function listen(server: Server, { port, address = "127.0.0.1" }: HealthServerOptions): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, address, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EADDRINUSE")
      throw new UserError(`--serve ${port}: the port is taken on ${address}, name another`);
    if (code === "EACCES")
      throw new UserError(`--serve ${port}: no right to this port, name one from 1024 on`);
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
      throw new UserError(`address ${address}: this machine has no such address to listen on`);
    }
    throw new UserError(`--serve ${port}: ${errorLine(error)}`, { cause: error });
  }
}
