import { readdir, readlink } from "node:fs/promises";

/** Ends every process whose working folder is this one: only what a test started in a folder of its own is in it. */
export async function endProcessesIn(directory: string): Promise<void> {
  for (const pid of await processesIn(directory)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

/** Processes that work in a folder. */
export async function processesIn(directory: string): Promise<number[]> {
  const pids = (await readdir("/proc"))
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const folders = await Promise.all(
    pids.map(async (pid) => ({ pid, folder: await readlink(`/proc/${pid}/cwd`).catch(() => "") })),
  );
  return folders.filter(({ folder }) => folder === directory).map(({ pid }) => pid);
}
