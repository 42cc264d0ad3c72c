import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process of this machine. */
export interface Process {
  readonly pid: number;
  /** Its program and arguments. */
  readonly command: readonly string[];
}

/** The processes that a process descends from, its parent first, as far as the system tells. */
export function processesAbove(pid: number): Process[] {
  const found: Process[] = [];
  let parent = look(pid)?.parent ?? 0;
  while (parent > 1 && !found.some((one) => one.pid === parent)) {
    const seen = look(parent);
    if (seen === undefined) break;
    found.push({ pid: parent, command: seen.command });
    parent = seen.parent;
  }
  return found;
}

function look(pid: number): { readonly parent: number; readonly command: readonly string[] } | undefined {
  return fromProc(pid) ?? fromPs(pid);
}

function fromProc(pid: number): ReturnType<typeof look> {
  try {
    // The name before it may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    return { parent: Number(fields[1]), command };
  } catch {
    return undefined;
  }
}

function fromPs(pid: number): ReturnType<typeof look> {
  if (process.platform === "linux") return undefined;
  try {
    const line = execFileSync("ps", ["-ww", "-o", "ppid=,args=", "-p", String(pid)], {
      encoding: "utf8",
    }).trim();
    const [parent, ...command] = line.split(/\s+/);
    return { parent: Number(parent), command };
  } catch {
    return undefined;
  }
}
