import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "./run.mjs";
import { UserError } from "./user-error.mjs";

const SOURCES = new URL("./go/", import.meta.url).pathname;

/**
 * @typedef {object} GoProgram
 * @property {string} name
 * @property {string} module folder of the Go module, below toolchain/go
 * @property {string} package
 * @property {string} output path of the program below the tools' folder
 * @property {string} [ldflags]
 */

/** @returns {Promise<{programs: GoProgram[], scripts: string[]}>} */
async function buildList() {
  return JSON.parse(await readFile(join(SOURCES, "build.json"), "utf8"));
}

/**
 * Folder of the tools that belong to these sources; there only once it is whole.
 *
 * @param {string} cache
 */
export async function goToolsDirectory(cache) {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  for (const file of await sourceFiles(SOURCES)) hash.update(String(file)).update(await readFile(file.path));
  return join(cache, "tools", hash.digest("hex").slice(0, 16));
}

/**
 * Builds Pulumi's command line, its language host and its plugins from Go modules, checked against go.sum.
 *
 * @param {string} cache
 * @param {import("./progress.mjs").Progress} progress
 * @returns {Promise<string>} the tools' folder, with `bin` and `plugins`
 */
export async function buildGoTools(cache, progress) {
  const place = await goToolsDirectory(cache);
  if (existsSync(place)) return place;
  await requireGo();
  await mkdir(dirname(place), { recursive: true });
  const unfinished = await mkdtemp(`${place}.unfinished-`);
  const modules = join(cache, "go");
  const env = {
    ...process.env,
    GOMODCACHE: join(modules, "modules"),
    GOCACHE: join(modules, "build"),
    GOFLAGS: "-mod=readonly -trimpath -modcacherw",
    CGO_ENABLED: "0",
  };
  try {
    const { programs, scripts } = await buildList();
    await Promise.all(
      programs.map((program) =>
        progress.step(`Building ${program.name}`, () =>
          run("go", ["build", "-ldflags", program.ldflags ?? "-s -w", "-o", join(unfinished, program.output), program.package], {
            cwd: join(SOURCES, program.module),
            env,
          }),
        ),
      ),
    );
    for (const script of scripts) {
      const target = join(unfinished, "bin", script);
      await copyFile(join(SOURCES, "scripts", script), target);
      await chmod(target, 0o755);
    }
    await rename(unfinished, place).catch(async (error) => {
      if (!existsSync(place)) throw error;
    });
    // Some gigabytes that only the next version of the tools would need again.
    await rm(modules, { recursive: true, force: true });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return place;
}

async function requireGo() {
  try {
    await run("go", ["version"]);
  } catch {
    throw new UserError("install Go 1.21 or newer (Debian 13: apt-get install golang-go): the tools are built with it here");
  }
}

/**
 * @param {string} directory
 * @returns {Promise<{path: string, toString(): string}[]>}
 */
async function sourceFiles(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ path, toString: () => path.slice(directory.length) }));
}

