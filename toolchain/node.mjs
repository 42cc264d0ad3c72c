import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.mjs";
import { UserError } from "./user-error.mjs";

const DEFINITION = new URL("./node/", import.meta.url);

/** Node.js runs TypeScript by itself, and keeps compiled modules, from this version on. */
const OLDEST_MAJOR = 24;

/**
 * The Node.js to run the project with: the machine's own where it is new enough, else one from the npm registry,
 * checked against the lock file's hash.
 *
 * @param {string} cache
 * @returns {Promise<string>} path of the program
 */
export async function provideNode(cache) {
  if (Number(process.versions.node.split(".")[0]) >= OLDEST_MAJOR) return process.execPath;
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
    throw new UserError(
      `install Node.js ${OLDEST_MAJOR} or newer: there is none to fetch for ${process.platform} ${process.arch}`,
    );
  }
  const lock = await readFile(new URL("package-lock.json", DEFINITION));
  const place = join(cache, "node", createHash("sha256").update(lock).digest("hex").slice(0, 16));
  const program = join(place, "node_modules", `node-linux-${process.arch}`, "bin", "node");
  if (existsSync(program)) return program;
  await mkdir(join(cache, "node"), { recursive: true });
  const unfinished = await mkdtemp(`${place}.unfinished-`);
  try {
    for (const file of ["package.json", "package-lock.json"])
      await cp(new URL(file, DEFINITION), join(unfinished, file));
    await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: unfinished,
    });
    // Another process may have been quicker; one of the two is enough.
    await rename(unfinished, place).catch(() => {});
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  if (!existsSync(program))
    throw new UserError(`the npm package of Node.js lacks its program for ${process.arch}`);
  return program;
}
