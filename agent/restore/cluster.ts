import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "../context.ts";
import { output, run } from "../program.ts";
import { clientEnvironment, psql, type Server } from "../sql.ts";

/** A server that is there for a while, reached by its socket alone. */
export interface TemporaryServer extends Server {
  readonly dataDirectory: string;
  /** What it has logged so far. */
  log(): Promise<string>;
}

/** Parameters of a temporary server, over those in its data directory. */
export type Parameters = Readonly<Record<string, string | number>>;

/** Small, quick and shut off: whatever the cluster's own configuration says. */
export const OWN: Parameters = {
  listen_addresses: "",
  port: 5432,
  ssl: "off",
  logging_collector: "off",
  log_destination: "stderr",
  archive_mode: "off",
  shared_buffers: "64MB",
  max_wal_size: "4GB",
  autovacuum: "off",
  shared_preload_libraries: "",
  max_connections: 20,
};

/**
 * Starts a server on a data directory, runs work with it and ends it, whatever happens.
 *
 * @param starting Told when the server's process runs, long before it answers: while it recovers, its log tells how far.
 */
export async function withTemporaryServer<Value>(
  dataDirectory: string,
  parameters: Parameters,
  { signal }: Pick<Context, "signal">,
  work: (server: TemporaryServer, ended: Promise<number>) => Promise<Value>,
): Promise<Value> {
  signal.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), "server-"));
  const hba = join(folder, "pg_hba.conf");
  const ident = join(folder, "pg_ident.conf");
  // The data directory's own includes the stack's, which is not everywhere that a cluster is restored.
  const configuration = join(folder, "postgresql.conf");
  await writeFile(hba, "local all all trust\n", { mode: 0o600 });
  await writeFile(ident, "", { mode: 0o600 });
  await writeFile(configuration, "", { mode: 0o600 });
  const all = {
    ...OWN,
    ...parameters,
    config_file: configuration,
    hba_file: hba,
    ident_file: ident,
    unix_socket_directories: folder,
  };
  const options = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn("postgres", ["-D", dataDirectory, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  let log = "";
  const keep = (piece: Buffer) => {
    log = (log + String(piece)).slice(-256 * 1024);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  const abort = () => child.kill("SIGINT");
  signal.addEventListener("abort", abort, { once: true });
  const server = { socketDirectory: folder, port: 5432, dataDirectory, log: async () => log };
  try {
    return await work(server, ended);
  } finally {
    signal.removeEventListener("abort", abort);
    child.kill("SIGINT");
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}

/** Those that recovery needs to be at least as large as they were. */
const RECOVERY_LIMITS =
  "max_connections|max_worker_processes|max_wal_senders|max_prepared_transactions|max_locks_per_transaction";
const LOWER = new RegExp(
  `\\b(${RECOVERY_LIMITS}) = \\d+ is a lower setting than on the primary server, where its value was (\\d{1,9})\\b`,
);

/** A parameter of a recovering server is lower than the source's was somewhere in the log: it goes no further. */
export class LowerParameter extends Error {
  override readonly name = "LowerParameter";
  readonly parameter: string;
  readonly value: number;

  constructor(parameter: string, value: number) {
    super(`${parameter} is lower than ${value}, which it was at the source`);
    this.parameter = parameter;
    this.value = value;
  }
}

/**
 * Before it lets in queries, recovery ends at such a parameter; later it pauses, as if it had come to its target.
 * Source: RecoveryRequiresIntParameter() in src/backend/access/transam/xlogrecovery.c
 *
 * @throws LowerParameter for what the server has logged of one.
 */
export async function refuseLowerParameter(server: Pick<TemporaryServer, "log">): Promise<void> {
  const [, parameter, value] = LOWER.exec(await server.log()) ?? [];
  if (parameter !== undefined) throw new LowerParameter(parameter, Number(value));
}

/** Waits until a server answers. @throws Error with its last words when it ends instead. */
export async function untilAnswering(
  server: TemporaryServer,
  ended: Promise<number>,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  for (;;) {
    signal.throwIfAborted();
    const { exitCode } = await run("pg_isready", ["--quiet", `--host=${server.socketDirectory}`]);
    if (exitCode === 0) return;
    await refuseLowerParameter(server);
    if (over) throw new Error(`the server ended: ${lastError(await server.log())}`);
    await delay(50);
  }
}

/** Has every index and table of a server checked. @returns What is wrong, a line each. */
export async function amcheck(server: Server, { signal }: Pick<Context, "signal">): Promise<string[]> {
  const { exitCode, stdout, stderr } = await run("pg_amcheck", ["--all", "--install-missing", "--jobs=2"], {
    environment: clientEnvironment(server),
    signal,
  });
  if (exitCode === 0) return [];
  const found = `${stdout}\n${stderr}`.split("\n").filter((line) => line.trim() !== "");
  return found.length === 0 ? [`pg_amcheck failed (exit code ${exitCode})`] : found.slice(0, 20);
}

/** The last error in a server's log. */
export function lastError(log: string): string {
  const lines = log
    .split("\n")
    .filter((line) => / (FATAL|PANIC|ERROR): | LOG: +(invalid value|unrecognized|syntax error)/.test(line))
    // What those were told who asked too early.
    .filter((line) => !/the database system is |terminating connection/.test(line))
    // It follows on the line that says which.
    .filter((line, index) => index === 0 || !/contains errors$/.test(line));
  return (lines.at(-1) ?? log.trim().split("\n").at(-1) ?? "").replace(
    /^.*? (FATAL|PANIC|ERROR|LOG):\s*/,
    "",
  );
}

/**
 * The parameters that recovery needs to be at least as large as they were, and those whose change is recorded in the
 * cluster, with loss of what they kept: all stand in the control file.
 */
export async function recoveryParameters(dataDirectory: string): Promise<Parameters> {
  const text = await output("pg_controldata", ["-D", dataDirectory]);
  const setting = (name: string) => new RegExp(`^${name} setting:\\s+(\\w+)`, "m").exec(text)?.[1];
  const number = (name: string): number => Number(setting(name) ?? 0);
  return {
    wal_level: setting("wal_level") === "logical" ? "logical" : "replica",
    wal_log_hints: setting("wal_log_hints") ?? "off",
    track_commit_timestamp: setting("track_commit_timestamp") ?? "off",
    max_connections: Math.max(20, number("max_connections")),
    max_worker_processes: Math.max(8, number("max_worker_processes")),
    max_wal_senders: Math.max(10, number("max_wal_senders")),
    max_prepared_transactions: number("max_prepared_xacts"),
    max_locks_per_transaction: Math.max(64, number("max_locks_per_xact")),
  };
}

/** The system identifier in a cluster's control file. */
export async function clusterIdentifier(dataDirectory: string): Promise<string> {
  const text = await output("pg_controldata", ["-D", dataDirectory]);
  return /^Database system identifier:\s+(\d+)/m.exec(text)?.[1] ?? "unknown";
}

/** The timeline that a cluster was on when its server stopped. */
export async function clusterTimeline(dataDirectory: string): Promise<number> {
  const text = await output("pg_controldata", ["-D", dataDirectory]);
  const [, timeline] = /^Latest checkpoint's TimeLineID:\s+(\d+)/m.exec(text) ?? [];
  if (timeline === undefined) throw new Error(`the control file of ${dataDirectory} names no timeline`);
  return Number(timeline);
}

/** Waits for a server's recovery to be paused at its target. */
export async function untilPaused(
  server: TemporaryServer,
  ended: Promise<number>,
  context: Pick<Context, "signal">,
): Promise<void> {
  await untilAnswering(server, ended, context);
  let over = false;
  void ended.then(() => {
    over = true;
  });
  for (;;) {
    context.signal.throwIfAborted();
    await refuseLowerParameter(server);
    if (over) throw new Error(lastError(await server.log()));
    const state = await psql(server, "SELECT pg_get_wal_replay_pause_state();").catch(() => "");
    if (state.trim() === "paused") return refuseLowerParameter(server);
    await delay(50);
  }
}

/** Reads a file of a data directory; undefined when it is not there. */
export async function readClusterFile(dataDirectory: string, name: string): Promise<string | undefined> {
  return readFile(join(dataDirectory, name), "utf8").catch(() => undefined);
}
