import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfiguration } from "./configuration.ts";
import { Refusal } from "./failure.ts";
import { writeWhole } from "./files.ts";

/** How {@link withExclusive} waits. */
export interface ExclusiveOptions {
  /** Seconds to wait for another holder. Default: 0, refused at once. */
  readonly waitSeconds?: number;
  /** Told what holds the lock when it has to be waited for. */
  readonly onWait?: (holder: string) => void;
  readonly signal?: AbortSignal;
}

/** What is over as quickly is not worth a word. */
const QUIET_SECONDS = 2;

/** Exit code of `flock` when the lock is held and its time is over. */
const HELD = 75;

/**
 * Runs work while nothing else changes backups or restores: one lock on the backup folder, for every container that has
 * it. The lock is a child's that lives as long as its input: whatever ends this process, the kernel frees it.
 *
 * @param purpose What the lock is held for; shown to whoever waits in vain.
 * @throws Refusal naming what holds it.
 */
export async function withExclusive<Value>(
  { backupDirectory }: Pick<AgentConfiguration, "backupDirectory">,
  purpose: string,
  work: () => Promise<Value>,
  options: ExclusiveOptions = {},
): Promise<Value> {
  const holderFile = join(backupDirectory, ".lock-holder.json");
  const lock = join(backupDirectory, ".lock");
  const { waitSeconds = 0 } = options;
  const quiet = Math.min(waitSeconds, QUIET_SECONDS);
  let release = await lockPath(lock, { ...options, waitSeconds: quiet });
  if (release === undefined && waitSeconds > quiet) {
    options.onWait?.(await describe(holderFile));
    release = await lockPath(lock, { ...options, waitSeconds: waitSeconds - quiet });
  }
  if (release === undefined) throw new Refusal(`${await describe(holderFile)}: wait until it has ended`);
  try {
    // It is for words alone: a full disk must not keep retention from making room.
    await writeWhole(holderFile, `${JSON.stringify({ purpose, since: new Date().toISOString() })}\n`).catch(
      () => rm(holderFile, { force: true }),
    );
    return await work();
  } finally {
    await release();
  }
}

/**
 * Locks a file or folder until what is returned is called.
 *
 * @returns undefined when something else holds the lock and the time is over.
 */
export async function lockPath(
  lock: string,
  { waitSeconds = 0, signal }: ExclusiveOptions,
): Promise<(() => Promise<void>) | undefined> {
  signal?.throwIfAborted();
  const wait = waitSeconds === 0 ? ["--nonblock"] : ["--timeout", String(waitSeconds)];
  const child = spawn(
    "flock",
    [...wait, "--conflict-exit-code", String(HELD), lock, "sh", "-c", "echo held; cat"],
    {
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  child.stdin.on("error", () => {});
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  const abort = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", abort, { once: true });
  const held = new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
  let complaint = "";
  child.stderr.on("data", (piece) => {
    complaint += String(piece);
  });
  const code = await Promise.race([held, ended]);
  signal?.removeEventListener("abort", abort);
  signal?.throwIfAborted();
  if (code === HELD) return undefined;
  if (code !== undefined) throw new Error(`the lock ${lock} cannot be had: ${complaint.trim()}`);
  return async () => {
    child.stdin.end();
    await ended;
  };
}

/** What holds the lock, and since when; undefined when it is free. */
export interface Holder {
  readonly purpose: string;
  readonly since?: string;
}

/** Who is at work; undefined: nothing is. */
export async function holderOf({
  backupDirectory,
}: Pick<AgentConfiguration, "backupDirectory">): Promise<Holder | undefined> {
  const release = await lockPath(join(backupDirectory, ".lock"), {});
  if (release === undefined) return readHolder(join(backupDirectory, ".lock-holder.json"));
  await release();
  return undefined;
}

async function readHolder(holderFile: string): Promise<Holder> {
  const found = await readFile(holderFile, "utf8")
    .then((text) => JSON.parse(text) as Partial<Holder>)
    .catch(() => ({}) as Partial<Holder>);
  return { purpose: "another operation", ...found };
}

async function describe(holderFile: string): Promise<string> {
  const { purpose, since } = await readHolder(holderFile);
  return `${purpose} has been at work since ${since ?? "just now"}`;
}
