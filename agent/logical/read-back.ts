import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { isCode } from "../failure.ts";
import { hashFile } from "../files.ts";
import { endWith, lastWords, output } from "../program.ts";
import { contentOf, DUMP } from "./dump.ts";
import type { DumpFile } from "./folder.ts";

/** Whether the files are the ones that were written: what is wrong, a line each. */
export async function compareFiles(folder: string, files: readonly DumpFile[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { path, bytes, sha256 } of files) {
    try {
      const { size } = await stat(join(folder, path));
      if (size !== bytes) problems.push(`${path} has ${size} bytes and should have ${bytes}`);
      else if ((await hashFile(join(folder, path))) !== sha256)
        problems.push(`${path} was changed: its checksum differs`);
    } catch (error) {
      problems.push(
        isCode(error, "ENOENT") ? `${path} is missing` : `${path} cannot be read: ${String(error)}`,
      );
    }
  }
  return problems;
}

/** Has pg_restore read every byte of a dump, as a restore would. @throws Error when it cannot. */
export async function readDump(
  configuration: AgentConfiguration,
  folder: string,
  context: Context,
): Promise<void> {
  const directory = join(folder, DUMP.folder);
  if (existsSync(directory)) {
    await output("pg_restore", ["--file=/dev/null", directory], { signal: context.signal });
    return;
  }
  await restoreFrom(configuration, folder, ["--file=/dev/null"], {}, context);
}

/** Runs pg_restore on a backup that is one file, decrypted on its way where it is encrypted. */
export async function restoreFrom(
  configuration: AgentConfiguration,
  folder: string,
  options: readonly string[],
  environment: Readonly<Record<string, string>>,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  const plain = join(folder, DUMP.file);
  if (existsSync(plain)) {
    await output("pg_restore", [...options, plain], { environment, signal });
    return;
  }
  const content = await contentOf(configuration, `${plain}${DUMP.sealed}`);
  const child = spawn("pg_restore", options, {
    stdio: ["pipe", "ignore", "pipe"],
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
    const fed = await pipeline(content, child.stdin).then(
      () => undefined,
      (error: unknown) => error,
    );
    // pg_restore does not read what is behind its last entry, and one that failed tells more than the pipe that broke.
    const leftEarly = isCode(fed, "EPIPE") || isCode(fed, "ERR_STREAM_PREMATURE_CLOSE");
    const torn = fed !== undefined && !leftEarly;
    if (torn) child.kill("SIGTERM");
    const exitCode = await ended;
    signal.throwIfAborted();
    if (torn) throw fed;
    if (exitCode !== 0) throw new Error(`pg_restore failed (exit code ${exitCode}): ${lastWords(complaint)}`);
  } finally {
    release();
  }
}
