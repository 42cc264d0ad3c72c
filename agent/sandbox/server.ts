import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "../context.ts";
import { lockPath } from "../exclusive.ts";
import { Refusal } from "../failure.ts";
import { output } from "../program.ts";
import type { TemporaryServer } from "../restore/cluster.ts";
import { SANDBOX_USER, sandboxPlaces, sessionFiles } from "./places.ts";
import { fetchScript, sessionScript } from "./scripts.ts";
import { type Supplier, supplyLog } from "./supply.ts";

/** What a sandboxed server is made from. */
export interface SandboxedServer {
  /** A restored cluster, which is gone afterwards. Default: an empty one is made. */
  readonly cluster?: string;
  /** Values for the server, over all that its data directory says. */
  readonly parameters: Readonly<Record<string, string | number>>;
  /** Where its recovery gets what was archived. */
  readonly supplier?: Supplier;
}

const PORT = 5432;
const BEGIN_MILLISECONDS = 60_000;
const POLL_MILLISECONDS = 20;
const DAY_SECONDS = 86_400;
/** Then whatever holds on is left to the sandbox, which ends all that is left of a session before the next. */
const END_SECONDS = 60;
const LONGEST_LOG = 256 * 1024;

/** Makes what agent and sandbox share, before the sandbox can look for it. */
export async function prepareSandbox(root: string): Promise<void> {
  const { requests, sessions, clusters, lock } = sandboxPlaces(root);
  await mkdir(sessions, { recursive: true });
  await mkdir(clusters, { recursive: true });
  await chmod(sessions, 0o750);
  await chmod(clusters, 0o770);
  await makePipe(requests);
  // Whoever may read a file may lock it.
  await (await open(lock, "a", 0o600)).close();
  await chmod(lock, 0o600);
}

/**
 * Runs work with a server in the sandbox: a container beside the agent's that has neither network, backups and keys nor the
 * live server's socket. Whatever the cluster's own code does there, it can do to the throw-away alone.
 *
 * @throws Refusal when the sandbox does not run.
 */
export async function withSandboxedServer<Value>(
  root: string,
  { cluster, parameters, supplier }: SandboxedServer,
  { signal }: Pick<Context, "signal">,
  work: (server: TemporaryServer, ended: Promise<number>) => Promise<Value>,
): Promise<Value> {
  await prepareSandbox(root);
  const places = sandboxPlaces(root);
  const unlock = await requireLock(places.lock, DAY_SECONDS, signal);
  const files = sessionFiles(root, randomBytes(4).toString("hex"));
  try {
    // What a killed run has left; its server has ended with it.
    await rm(places.sessions, { recursive: true, force: true });
    await prepareSandbox(root);
    await layOut(files, parameters, supplier !== undefined);
    const endSupply = supplier === undefined ? undefined : await supplyLog(files, supplier);
    try {
      return await session(places.requests, files, { cluster, signal }, work);
    } finally {
      await endSupply?.();
    }
  } finally {
    await rm(files.folder, { recursive: true, force: true });
    await unlock();
  }
}

async function session<Value>(
  requests: string,
  files: ReturnType<typeof sessionFiles>,
  { cluster, signal }: { readonly cluster: string | undefined; readonly signal: AbortSignal },
  work: (server: TemporaryServer, ended: Promise<number>) => Promise<Value>,
): Promise<Value> {
  const letGo = await requireLock(files.wanted, 0, signal);
  const ending = new AbortController();
  let ended: Promise<number> | undefined;
  let released: Promise<void> | undefined;
  const release = () => {
    released ??= letGo();
  };
  signal.addEventListener("abort", release, { once: true });
  try {
    await begin(requests, files, signal);
    ended = untilFree(files.running, ending.signal);
    if (cluster !== undefined) await handOver(cluster, files);
    await place(files.ready, "", 0o640);
    const server: TemporaryServer = {
      ...{ socketDirectory: files.own, port: PORT, peer: SANDBOX_USER },
      dataDirectory: files.dataDirectory,
      log: () => tailOf(files.log),
    };
    return await work(server, ended);
  } finally {
    signal.removeEventListener("abort", release);
    release();
    await released;
    const enough = setTimeout(() => ending.abort(), END_SECONDS * 1_000);
    await ended;
    clearTimeout(enough);
  }
}

/** Asks for the session, and waits until the sandbox has begun it. */
async function begin(
  requests: string,
  { folder, log }: ReturnType<typeof sessionFiles>,
  signal: AbortSignal,
): Promise<void> {
  // Held open until it is taken: what is in a pipe that nobody has open is lost.
  const pipe = await open(requests, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    await pipe.write(`${folder.slice(folder.lastIndexOf("/") + 1)}\n`);
    const deadline = performance.now() + BEGIN_MILLISECONDS;
    while ((await stat(log)).size === 0) {
      signal.throwIfAborted();
      if (performance.now() > deadline) {
        throw new Refusal(
          "the sandbox, in which restores are proven, does not answer: pgstack health tells of its container, pgstack start starts it",
        );
      }
      await delay(POLL_MILLISECONDS);
    }
  } finally {
    await pipe.close();
  }
}

/** The agent's files of a session: the sandbox, which is in their group, reads all of them and writes to some. */
async function layOut(
  files: ReturnType<typeof sessionFiles>,
  parameters: SandboxedServer["parameters"],
  recovers: boolean,
): Promise<void> {
  const { folder, script, fetch, log, wanted, running, asked, answers, supply, own } = files;
  await mkdir(folder);
  await chmod(folder, 0o750);
  const [configuration, hba, ident] = ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const all = {
    ...parameters,
    ...(recovers ? { restore_command: `sh ${fetch} %f "%p"` } : {}),
    ...{ config_file: configuration, hba_file: hba, ident_file: ident, unix_socket_directories: own },
  };
  const options = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  const read = { [configuration]: "", [hba]: "local all all trust\n", [ident]: "", [wanted]: "" };
  const texts = { ...read, [script]: sessionScript(files, options), [fetch]: fetchScript(files) };
  for (const [path, text] of Object.entries(texts)) await place(path, text, 0o640);
  for (const path of [log, running]) await place(path, "", 0o660);
  await mkdir(supply);
  await chmod(supply, 0o750);
  for (const pipe of [asked, answers]) await makePipe(pipe);
}

/** By these pgBackRest knows whose archive is asked for. */
const KNOWN_BY = ["global/pg_control", "backup_label"];

/** Gives a restored cluster into the sandbox's hands; from then on the agent follows no path in it. */
async function handOver(cluster: string, files: ReturnType<typeof sessionFiles>): Promise<void> {
  await mkdir(join(files.control, "global"), { recursive: true, mode: 0o700 });
  for (const name of KNOWN_BY) {
    await copyFile(join(cluster, name), join(files.control, name));
  }
  await output("chmod", ["-R", "g+rwX", cluster]);
  await rename(cluster, files.cluster);
}

async function place(path: string, text: string, mode: number): Promise<void> {
  await writeFile(path, text, { flag: "wx" });
  await chmod(path, mode);
}

async function makePipe(path: string): Promise<void> {
  await output("sh", ["-c", '[ -p "$1" ] || mkfifo "$1" && chmod 660 "$1"', "pipe", path]);
}

async function requireLock(
  path: string,
  waitSeconds: number,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const release = await lockPath(path, { waitSeconds, signal });
  if (release === undefined) throw new Refusal("the sandbox is at work for another restore");
  return release;
}

/** Resolves when nobody holds a lock any more, or the signal says that it was waited long enough. */
async function untilFree(path: string, signal: AbortSignal): Promise<number> {
  const release = await lockPath(path, { waitSeconds: DAY_SECONDS, signal }).catch(() => undefined);
  await release?.();
  return 0;
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - LONGEST_LOG);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
