import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pluginVersions } from "./plugin-versions.mjs";
import { run } from "./run.mjs";
import { UserError } from "./user-error.mjs";

const SOURCES = fileURLToPath(new URL("./go/", import.meta.url));

/**
 * @typedef {object} GoBuild
 * @property {string} name
 * @property {string} module folder of the Go module, below toolchain/go
 * @property {string[]} packages
 * @property {string} ldflags
 * @property {string} tags
 * @property {string[]} outputs programs that it makes
 */

/** @returns {Promise<{environment: Record<string, string>, builds: GoBuild[]}>} */
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
  try {
    const { environment, builds } = await buildList();
    const env = {
      ...process.env,
      ...environment,
      GOMODCACHE: join(modules, "modules"),
      GOCACHE: join(modules, "build"),
      GOFLAGS: `${environment.GOFLAGS} -modcacherw`,
    };
    const programs = join(unfinished, "programs");
    await mkdir(programs);
    await progress.step("Go modules", () =>
      Promise.all(
        builds.map(({ module, packages, tags }) =>
          run("go", ["list", "-deps", "-tags", tags, ...packages], { cwd: join(SOURCES, module), env }),
        ),
      ),
    );
    // One after the other: they share packages, and go shares work with an earlier build only; each uses every core.
    for (const { name, module, packages, ldflags, tags, outputs } of builds) {
      const place = outputs.length === 1 ? join(programs, String(outputs[0])) : `${programs}/`;
      await progress.step(`Building ${name}`, () =>
        run("go", ["build", "-tags", tags, "-ldflags", ldflags, "-o", place, ...packages], {
          cwd: join(SOURCES, module),
          env,
        }),
      );
    }
    await arrange(
      unfinished,
      programs,
      builds.flatMap(({ outputs }) => outputs),
    );
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

/**
 * Puts programs where Pulumi looks for them: plugins into folders with their version, all else beside the command line.
 *
 * @param {string} tools
 * @param {string} programs
 * @param {string[]} names
 */
async function arrange(tools, programs, names) {
  const versions = await pluginVersions();
  await mkdir(join(tools, "bin"), { recursive: true });
  for (const name of names) {
    const plugin = /^pulumi-resource-(.+)$/.exec(name)?.[1];
    const version = plugin === undefined ? undefined : versions[plugin];
    const folder =
      version === undefined ? join(tools, "bin") : join(tools, "plugins", `resource-${plugin}-v${version}`);
    await mkdir(folder, { recursive: true });
    await rename(join(programs, name), join(folder, name));
  }
  for (const script of await readdir(join(SOURCES, "scripts"))) {
    await copyFile(join(SOURCES, "scripts", script), join(tools, "bin", script));
    await chmod(join(tools, "bin", script), 0o755);
  }
  await rm(programs, { recursive: true, force: true });
}

async function requireGo() {
  try {
    await run("go", ["version"]);
  } catch {
    throw new UserError(
      "install Go 1.21 or newer (Debian 13: apt-get install golang-go): the tools are built with it here",
    );
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
