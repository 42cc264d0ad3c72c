import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";
import { run } from "./run.mjs";

const STAMP = join(PROJECT_DIRECTORY, "node_modules", ".pgstack-lock");

/** Whether node_modules is what the lock file says. */
export async function dependenciesPresent() {
  const stamp = await readFile(STAMP, "utf8").catch(() => "");
  return stamp === (await lockHash());
}

/** Installs the packages of the lock file, checked against its hashes; no package runs a script of its own. */
export async function installDependencies() {
  const hash = await lockHash();
  await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: PROJECT_DIRECTORY,
  });
  await writeFile(STAMP, hash);
}

async function lockHash() {
  return createHash("sha256")
    .update(await readFile(join(PROJECT_DIRECTORY, "package-lock.json")))
    .digest("hex");
}
