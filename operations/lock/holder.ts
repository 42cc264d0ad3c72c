import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

/** Which process holds a lock, precise enough to tell it from a later process with the same id. */
export interface ProcessIdentity {
  readonly host: string;
  /** The kernel's boot id: another one on the same host means that the holder is gone. Absent where unknown. */
  readonly boot?: string;
  /** The process namespace: process ids of another one mean nothing here. Absent where unknown. */
  readonly namespace?: string;
  readonly pid: number;
  /** Start of the process in clock ticks since boot (proc(5), field 22 of stat). Absent where unknown. */
  readonly started?: string;
}

/** Content of a lock file. */
export interface LockHolder extends ProcessIdentity {
  /** Tells this holding from every other one. */
  readonly nonce: string;
  /** Since when, ISO 8601 in UTC. */
  readonly since: string;
  readonly purpose?: string;
}

/** Identity of the running process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const [boot, namespace, stat] = await Promise.all([bootId(), processNamespace(), processStat(process.pid)]);
  return {
    host: hostname(),
    ...(boot === undefined ? {} : { boot }),
    ...(namespace === undefined ? {} : { namespace }),
    pid: process.pid,
    ...(stat === undefined ? {} : { started: stat.started }),
  };
}

/** True only when it is certain that the holder's process is no more. */
export async function holderIsGone(holder: ProcessIdentity): Promise<boolean> {
  if (holder.host !== hostname()) return false;
  const [boot, namespace] = await Promise.all([bootId(), processNamespace()]);
  if (boot !== undefined && holder.boot !== undefined && boot !== holder.boot) return true;
  if (namespace !== holder.namespace) return false;
  if (!processExists(holder.pid)) return true;
  const now = await processStat(holder.pid);
  if (now === undefined) return false;
  // A zombie holds nothing any more; it only waits for its parent.
  if (now.state === "Z" || now.state === "X") return true;
  return holder.started !== undefined && now.started !== holder.started;
}

/** One phrase for messages: process, host, since when, what for. */
export function describeHolder(holder: LockHolder): string {
  const purpose = holder.purpose === undefined ? "" : ` for ${holder.purpose}`;
  return `process ${holder.pid} on ${holder.host} since ${holder.since}${purpose}`;
}

/** The holder that a lock file's text names; undefined when it names none. */
export function parseHolder(text: string): LockHolder | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Partial<Record<keyof LockHolder, unknown>>;
  const { host, boot, namespace, pid, started, nonce, since, purpose } = fields;
  if (typeof host !== "string" || typeof nonce !== "string" || typeof since !== "string") return undefined;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return {
    host,
    pid,
    nonce,
    since,
    ...(typeof boot === "string" ? { boot } : {}),
    ...(typeof namespace === "string" ? { namespace } : {}),
    ...(typeof started === "string" ? { started } : {}),
    ...(typeof purpose === "string" ? { purpose } : {}),
  };
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** State and start of a process; undefined without /proc, or when the process is gone. */
async function processStat(pid: number): Promise<{ state: string; started: string } | undefined> {
  const stat = await readQuietly(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, started] = [fields[0], fields[19]];
  return state === undefined || started === undefined ? undefined : { state, started };
}

async function bootId(): Promise<string | undefined> {
  return (await readQuietly("/proc/sys/kernel/random/boot_id"))?.trim();
}

async function processNamespace(): Promise<string | undefined> {
  try {
    return await readlink("/proc/self/ns/pid");
  } catch {
    return undefined;
  }
}

async function readQuietly(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}
