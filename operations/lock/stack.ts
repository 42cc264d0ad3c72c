import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { livingHolder, withLock } from "../lock.ts";
import { type LockHolder, parseHolder } from "./holder.ts";

/**
 * The lock of a stack in this checkout: one for everything that changes the stack as a whole, which are promotions, runs of
 * `pulumi up`, migrations, restores, rotations, upgrades, and stops and starts by hand. Whoever comes second is refused before anything is changed.
 *
 * It is handed on to child processes: a promotion's own `pulumi up` works under the promotion's lock.
 */

/** Locks that this process or one that started it holds: STACK=NONCE, separated by spaces. */
const VARIABLE = "PGSTACK_STACK_LOCKS";

/** Where the lock of a stack is. */
export function stackLockPath(project: string, stack: string): string {
  return join(project, ".pgstack", "stacks", stack, "change.lock");
}

/**
 * Does work under the lock of a stack, or under the one that this process has been handed.
 *
 * @param purpose What it is held for, as the second one is told.
 * @throws UserError naming the holder, at once.
 */
export async function withStackLock<Value>(
  project: string,
  stack: string,
  purpose: string,
  work: () => Promise<Value>,
): Promise<Value> {
  if (await holdsStackLock(project, stack)) return await work();
  return await withLock(
    stackLockPath(project, stack),
    async (holder) => {
      handOn(stack, holder);
      try {
        return await work();
      } finally {
        takeBack(stack, holder);
      }
    },
    refusing(stack, purpose),
  );
}

/** Takes the lock of a stack until this process ends, however it ends. @throws as {@link withStackLock}. */
export async function keepStackLock(project: string, stack: string, purpose: string): Promise<void> {
  if (await holdsStackLock(project, stack)) return;
  const path = stackLockPath(project, stack);
  await new Promise<void>((held, refused) => {
    withLock(
      path,
      (holder) => {
        process.once("exit", () => releaseNow(path, holder));
        held();
        return new Promise<never>(() => {});
      },
      refusing(stack, purpose),
    ).catch(refused);
  });
}

/** Whether this process works under the lock of a stack, its own or one that it was handed by a holder who still lives. */
export async function holdsStackLock(project: string, stack: string): Promise<boolean> {
  const nonce = handedOn().get(stack);
  if (nonce === undefined) return false;
  return (await livingHolder(stackLockPath(project, stack)))?.nonce === nonce;
}

/** Who is changing a stack right now; undefined: nobody in this checkout. */
export async function stackLockHolder(project: string, stack: string): Promise<LockHolder | undefined> {
  return await livingHolder(stackLockPath(project, stack));
}

function refusing(stack: string, purpose: string) {
  return {
    waitMilliseconds: 0,
    purpose,
    refusal: (holder: string) =>
      `nothing was changed: stack ${stack} is being changed by ${holder}; wait until it has ended (this was for ${purpose})`,
  };
}

function handedOn(): Map<string, string> {
  const words = (process.env[VARIABLE] ?? "").split(" ").filter((word) => word.includes("="));
  return new Map(words.map((word) => word.split("=") as [string, string]));
}

function handOn(stack: string, { nonce }: LockHolder): void {
  setHandedOn(handedOn().set(stack, nonce));
}

function takeBack(stack: string, { nonce }: LockHolder): void {
  const locks = handedOn();
  if (locks.get(stack) === nonce) locks.delete(stack);
  setHandedOn(locks);
}

function setHandedOn(locks: ReadonlyMap<string, string>): void {
  const text = [...locks].map(([stack, nonce]) => `${stack}=${nonce}`).join(" ");
  if (text === "") delete process.env[VARIABLE];
  else process.env[VARIABLE] = text;
}

/** At a process's end nothing can be waited for. */
function releaseNow(path: string, { nonce }: LockHolder): void {
  try {
    if (parseHolder(readFileSync(path, "utf8"))?.nonce === nonce) rmSync(path, { force: true });
  } catch {
    // It is gone, or will be found to be a dead process's.
  }
}
