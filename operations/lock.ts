import { randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describeHolder, holderIsGone, type LockHolder, ownIdentity, parseHolder } from "./lock/holder.ts";
import { UserError } from "./user-error.ts";

/** How {@link withLock} waits. */
export interface LockOptions {
  /** Milliseconds to wait for another holder. Default: 30,000. 0: refuse at once. */
  readonly waitMilliseconds?: number;
  /** What the lock is held for; shown to whoever waits in vain, for example `backup of stack dev`. */
  readonly purpose?: string;
  /** Ends the wait early; the wait then fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Words for whoever waits in vain, given the holder's own. Default: they name the lock file and what to do about it. */
  readonly refusal?: (holder: string) => string;
}

const DEFAULT_WAIT_MILLISECONDS = 30_000;
const FIRST_POLL_MILLISECONDS = 5;
const LONGEST_POLL_MILLISECONDS = 30;
/** Each level exists only while another process died within the microseconds of a takeover. */
const DEEPEST_TAKEOVER = 4;

/**
 * Runs work while no other process (nor another call in this one) runs work under the same lock file.
 *
 * The file appears under its name whole and only if the name is free (`link` of a file made with O_EXCL, which
 * unlike O_EXCL alone never shows an empty file). It names its holder by host, boot, process and process start
 * time, so a lock left by a killed process is recognised, also when its process id was given to another one.
 * A lock made on another host is never taken over.
 *
 * @param path Lock file; its folder is made when missing. Not removed by hand while its holder lives.
 * @throws UserError naming the holder when the wait is over.
 */
export async function withLock<T>(
  path: string,
  work: (holder: LockHolder) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const holder: LockHolder = {
    ...(await ownIdentity()),
    nonce: randomUUID(),
    since: new Date().toISOString(),
    ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
  };
  await acquire(path, holder, options, 0);
  try {
    return await work(holder);
  } finally {
    await release(path, holder);
  }
}

async function acquire(path: string, holder: LockHolder, options: LockOptions, depth: number): Promise<void> {
  const deadline = performance.now() + (options.waitMilliseconds ?? DEFAULT_WAIT_MILLISECONDS);
  let pause = FIRST_POLL_MILLISECONDS;
  while (true) {
    options.signal?.throwIfAborted();
    const other = await readHolder(path);
    if (other === "free") {
      if (await claim(path, holder)) return;
      continue;
    }
    if (other !== undefined && (await holderIsGone(other))) {
      await takeOver(path, other, holder, options, depth);
      continue;
    }
    if (performance.now() >= deadline) throw busy(path, other, options);
    await delay(pause, undefined, options.signal === undefined ? {} : { signal: options.signal });
    pause = Math.min(pause * 2, LONGEST_POLL_MILLISECONDS);
  }
}

/** True when the lock file now is ours. */
async function claim(path: string, holder: LockHolder): Promise<boolean> {
  const draft = join(dirname(path), `.lock-${holder.nonce}`);
  const file = await open(draft, "wx", 0o644);
  try {
    await file.writeFile(`${JSON.stringify(holder)}\n`);
    // A lock that a power cut left empty could never be judged.
    await file.datasync();
    await link(draft, path);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await file.close();
    await rm(draft, { force: true });
  }
}

/**
 * Removes a dead holder's lock. Only the holder of `<path>.takeover` removes another's lock, and it looks again
 * first: without that, two processes that both saw the dead holder could remove each other's fresh lock.
 */
async function takeOver(
  path: string,
  dead: LockHolder,
  holder: LockHolder,
  options: LockOptions,
  depth: number,
): Promise<void> {
  if (depth >= DEEPEST_TAKEOVER) throw busy(path, dead, options);
  const guard = `${path}.takeover`;
  await acquire(guard, holder, options, depth + 1);
  try {
    const current = await readHolder(path);
    if (current !== "free" && current?.nonce === dead.nonce) await rm(path, { force: true });
  } finally {
    await release(guard, holder);
  }
}

async function release(path: string, holder: LockHolder): Promise<void> {
  const current = await readHolder(path);
  if (current !== "free" && current?.nonce === holder.nonce) await rm(path, { force: true });
}

/** The holder; `free` when there is no lock file; undefined when its content names none. */
async function readHolder(path: string): Promise<LockHolder | "free" | undefined> {
  try {
    return parseHolder(await readFile(path, "utf8"));
  } catch (error) {
    if (isCode(error, "ENOENT")) return "free";
    throw error;
  }
}

/** Who holds a lock at work; undefined when nobody does, or the holder is no more. */
export async function livingHolder(path: string): Promise<LockHolder | undefined> {
  const holder = await readHolder(path);
  return holder === "free" || holder === undefined || (await holderIsGone(holder)) ? undefined : holder;
}

function busy(path: string, other: LockHolder | undefined, { purpose, refusal }: LockOptions): UserError {
  if (other !== undefined && refusal !== undefined) return new UserError(refusal(describeHolder(other)));
  const wanted = purpose === undefined ? "" : ` (wanted for ${purpose})`;
  if (other === undefined) {
    return new UserError(`${path}${wanted} names no holder: remove the file if nothing works on this stack`);
  }
  const away = other.host === hostname() ? "" : `; if nothing runs there any more, remove the file`;
  return new UserError(`${path}${wanted} is held by ${describeHolder(other)}: wait for it or end it${away}`);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
