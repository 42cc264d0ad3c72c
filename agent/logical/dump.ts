import { spawn } from "node:child_process";
import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { endWith, lastWords, output, ProgramFailed, run } from "../program.ts";
import { clientEnvironment } from "../sql.ts";
import { readKey, seal, unseal } from "./sealed.ts";

/** Above this, several processes dump side by side; below, one file is quicker and simpler to carry about. */
const PARALLEL_BYTES = 1024 ** 3;
/** The quickest way of each that is still worth it; the first that the image's pg_dump was built with is taken. */
const COMPRESSIONS = ["--compress=zstd:1", "--compress=lz4:1", "--compress=gzip:1"];

/** Names of the dumps in a backup's folder. */
export const DUMP = {
  file: "database.dump",
  folder: "database",
  roles: "roles.json",
  /** In older backups, as pg_dumpall writes it. */
  formerRoles: "roles.sql",
  properties: "properties.json",
  sealed: ".sealed",
} as const;

/** Dumps the database in one view of it. Encrypted, nothing of it touches the disk in clear. */
export async function dumpDatabase(
  configuration: AgentConfiguration,
  folder: string,
  { snapshot, databaseBytes }: { readonly snapshot: string; readonly databaseBytes: number },
  context: Context,
): Promise<void> {
  const environment = clientEnvironment(configuration, configuration.database);
  const common = [`--snapshot=${snapshot}`, await compression(configuration, context), "--no-password"];
  if (configuration.logical.encrypted) {
    const path = join(folder, `${DUMP.file}${DUMP.sealed}`);
    await toSealedFile(configuration, path, [...common, "--format=custom"], environment, context);
  } else if (databaseBytes > PARALLEL_BYTES) {
    const jobs = [
      `--jobs=${configuration.jobs}`,
      "--format=directory",
      `--file=${join(folder, DUMP.folder)}`,
    ];
    await output("pg_dump", [...common, ...jobs], { environment, signal: context.signal });
  } else {
    const file = ["--format=custom", `--file=${join(folder, DUMP.file)}`];
    await output("pg_dump", [...common, ...file], { environment, signal: context.signal });
  }
}

/** The first of the ways of compressing that the pg_dump at hand has. */
export async function compression(
  configuration: AgentConfiguration,
  { signal }: Pick<Context, "signal">,
): Promise<string> {
  const environment = clientEnvironment(configuration, "template1");
  for (const one of COMPRESSIONS) {
    const trial = ["--format=custom", "--schema-only", "--no-sync", "--file=/dev/null", one];
    if ((await run("pg_dump", trial, { environment, signal })).exitCode === 0) return one;
  }
  return "--compress=0";
}

/** The content of a file of a backup, decrypted where it is encrypted. */
export async function contentOf(configuration: AgentConfiguration, path: string): Promise<Readable> {
  const file = createReadStream(path);
  if (!path.endsWith(DUMP.sealed)) return file;
  return Readable.from(unseal(await readKey(configuration.logical.keyFile), file), { objectMode: false });
}

async function toSealedFile(
  configuration: AgentConfiguration,
  path: string,
  dumpArguments: readonly string[],
  environment: Readonly<Record<string, string>>,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const key = await readKey(configuration.logical.keyFile);
  const child = spawn("pg_dump", dumpArguments, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C", ...environment },
  });
  const release = endWith(child, signal);
  let complaint = "";
  child.stderr.on("data", (piece) => {
    complaint = (complaint + String(piece)).slice(-64 * 1024);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  try {
    await pipeline(seal(key, child.stdout), createWriteStream(path, { mode: 0o600 }));
    const exitCode = await ended;
    signal.throwIfAborted();
    if (exitCode !== 0) throw new ProgramFailed("pg_dump", exitCode, lastWords(complaint));
  } finally {
    release();
    child.kill("SIGKILL");
  }
}
