import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";

/** Programs that Pulumi starts for a run and that wait for its orders until it ends them. */
const PLUGIN = /^pulumi-(resource|language|analyzer)-|^dynamic-provider$/;

/**
 * Ends the plugins that killed runs of this checkout left behind: they would wait for ever. Those of a living run have
 * it, or its language host, as their parent. Does nothing where there is no /proc.
 */
export async function endOrphanedPlugins() {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    if (!(await isOrphanedPlugin(pid))) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended by itself, or is somebody else's.
    }
  }
}

/** @param {string} pid */
async function isOrphanedPlugin(pid) {
  try {
    if ((await readlink(`/proc/${pid}/cwd`)) !== PROJECT_DIRECTORY) return false;
    if (!(await programNames(pid)).some((name) => PLUGIN.test(name))) return false;
    const parent = /^PPid:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1] ?? "1";
    return !(await programNames(parent)).some((name) => name === "pulumi" || PLUGIN.test(name));
  } catch {
    // Another user's process, or one that has just ended.
    return false;
  }
}

/**
 * The names in a command line: the program's own, and for a script, also behind a module that is loaded first, the one of
 * its folder.
 *
 * @param {string} pid
 */
async function programNames(pid) {
  const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0").slice(0, 4);
  return words.flatMap((word) => [basename(word), basename(word.replace(/\/index\.js$/, ""))]);
}
