import { once } from "node:events";
import type { Duplex, Readable, Writable } from "node:stream";
import type Docker from "dockerode";
import { dockerEngine, isNotFound, statusCode } from "./docker.ts";
import { demultiplexer } from "./execute/demultiplex.ts";
import { ContainerNotRunning, executeInContainer } from "./execute.ts";
import { SCRIPT, takeMarker } from "./psql-session/script.ts";
import type { Credential, ServerTrust, Target } from "./target.ts";

/** Size of a terminal, in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What a psql session works with. */
export interface PsqlSession {
  readonly credential: Credential;
  /** Undefined: TLS is off. */
  readonly trust: ServerTrust | undefined;
  /** Handed to psql as they are. Never a secret: arguments are seen in process lists. */
  readonly arguments: readonly string[];
  /** The caller's terminal, already in raw mode; undefined: plain streams. */
  readonly terminal?: TerminalSize & {
    /** As TERM names it. */
    readonly kind: string;
    /** Calls back when the size has changed; returns how to end that. */
    readonly onResize: (changed: (size: TerminalSize) => void) => () => void;
  };
  readonly input: Readable;
  readonly output: Writable;
  /** Unused with a terminal, which has one stream only. */
  readonly errorOutput: Writable;
  /** Ends psql: first its running statement, then psql itself. */
  readonly signal?: AbortSignal;
}

/** Nobody's user: psql needs no rights in the container, and a slip in it must not be the superuser's. */
const USER = "65534:65534";

/**
 * Runs the server's own psql in its container, over TCP on 127.0.0.1 with the certificate verified, as one of the
 * roles. Password and authority go in by standard input, before the session's own, and are on no file system that has a
 * name for them, in no argument list and in no environment.
 *
 * @returns psql's exit code.
 * @throws ContainerNotRunning.
 */
export async function runPsql(target: Target, session: PsqlSession): Promise<number> {
  const { terminal, signal } = session;
  signal?.throwIfAborted();
  const { exec, stream } = await start(target, session);
  let processId: string | undefined;
  const stopResizing = terminal?.onResize(({ columns, rows }) => {
    exec.resize({ w: columns, h: rows }).catch(() => {});
  });
  const abort = () => {
    if (processId === undefined) stream.destroy();
    else endProcess(target, processId).catch(() => stream.destroy());
  };
  signal?.addEventListener("abort", abort, { once: true });
  const deliver = afterMarker(session, (marker) => {
    processId = marker;
    stream.write(secretLines(session));
    session.input.pipe(stream);
  });
  try {
    const feed = terminal === undefined ? demultiplexer(deliver.output, deliver.error) : deliver.output;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      feed(chunk);
      await drained(session);
    }
    deliver.end();
  } finally {
    session.input.unpipe(stream);
    session.input.pause();
    signal?.removeEventListener("abort", abort);
    stopResizing?.();
    stream.destroy();
  }
  const { Running, ExitCode } = await exec.inspect();
  // The connection has ended before psql, as when the terminal was closed.
  if (Running && processId !== undefined) await endProcess(target, processId);
  return ExitCode ?? 1;
}

async function start(target: Target, session: PsqlSession): Promise<{ exec: Docker.Exec; stream: Duplex }> {
  const { terminal } = session;
  const Tty = terminal !== undefined;
  try {
    const exec = await dockerEngine(target.dockerHost)
      .getContainer(target.container)
      .exec({
        Cmd: ["sh", "-c", SCRIPT, "psql", Tty ? "terminal" : "plain", ...session.arguments],
        Env: Object.entries(environment(target, session)).map(([name, value]) => `${name}=${value}`),
        User: USER,
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Tty,
      });
    const stream = await exec.start({ hijack: true, stdin: true, Tty });
    if (terminal !== undefined) {
      // It fails only when the program has ended already.
      await exec.resize({ w: terminal.columns, h: terminal.rows }).catch(() => {});
    }
    return { exec, stream };
  } catch (error) {
    if (isNotFound(error)) throw new ContainerNotRunning(`container ${target.container} does not exist`);
    if (statusCode(error) === 409)
      throw new ContainerNotRunning(`container ${target.container} is not running`);
    throw error;
  }
}

function environment(target: Target, { credential, trust, terminal }: PsqlSession): Record<string, string> {
  return {
    // The name is for the certificate; the address is where the connection goes.
    PGHOST: trust?.serverName ?? "127.0.0.1",
    PGHOSTADDR: "127.0.0.1",
    PGPORT: String(target.port),
    PGDATABASE: target.database,
    PGUSER: credential.role,
    PGPASSFILE: "/proc/self/fd/3",
    PGSSLMODE: trust === undefined ? "disable" : "verify-full",
    PGSSLROOTCERT: trust !== undefined && trust.authority === undefined ? "system" : "/proc/self/fd/4",
    PGAPPNAME: "pgstack psql",
    PGCONNECT_TIMEOUT: "10",
    // The container's file system is read-only; history lives as long as the session.
    PSQL_HISTORY: "/dev/null",
    LC_ALL: "C.UTF-8",
    ...(terminal === undefined ? {} : { TERM: terminal.kind }),
  };
}

/** What {@link SCRIPT} reads before psql starts: a line of a password file, the authority, a closing dot. */
function secretLines({ credential, trust }: PsqlSession): string {
  const password = credential.password.replaceAll(/[\\:]/g, "\\$&");
  const authority = trust?.authority?.trim() ?? "";
  return `*:*:*:*:${password}\n${authority === "" ? "" : `${authority}\n`}.\n`;
}

function afterMarker({ output, errorOutput }: PsqlSession, ready: (processId: string) => void) {
  let before: Buffer | undefined = Buffer.alloc(0);
  return {
    output(chunk: Buffer) {
      if (before === undefined) {
        output.write(chunk);
        return;
      }
      const found = takeMarker(Buffer.concat([before, chunk]));
      before = found.rest;
      if (found.processId === undefined) return;
      before = undefined;
      if (found.rest.length > 0) output.write(found.rest);
      ready(found.processId);
    },
    error(chunk: Buffer) {
      errorOutput.write(chunk);
    },
    /** The program ended before it was ready: what it said instead is an error. */
    end() {
      if (before !== undefined && before.length > 0) errorOutput.write(before);
    },
  };
}

/** A slow reader holds the server back, rather than filling this machine's memory; one who has left holds nothing. */
async function drained({ output, signal }: PsqlSession): Promise<void> {
  if (!output.writableNeedDrain || signal?.aborted === true) return;
  await once(output, "drain", signal === undefined ? {} : { signal }).catch(() => {});
}

// Docker ends no program whose client has left. SIGINT cancels the running statement on the server as well.
async function endProcess(target: Target, processId: string): Promise<void> {
  const script =
    'kill -INT "$1"; for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2> /dev/null || exit 0; sleep 0.1; done; kill -KILL "$1"';
  await executeInContainer(target, { command: ["sh", "-c", script, "end-psql", processId], user: USER });
}
