import { createWriteStream, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { AgentConfiguration } from "../configuration.ts";
import { contentOf, DUMP } from "./dump.ts";

/** Runs work with a dump as a file or folder that can be read in any order: an encrypted one is decrypted for as long. */
export async function contentFile<Value>(
  configuration: AgentConfiguration,
  folder: string,
  work: (path: string) => Promise<Value>,
): Promise<Value> {
  for (const name of [DUMP.folder, DUMP.file]) {
    if (existsSync(join(folder, name))) return work(join(folder, name));
  }
  const scratch = await mkdtemp(join(configuration.scratchDirectory, "dump-"));
  try {
    const path = join(scratch, DUMP.file);
    const content = await contentOf(configuration, join(folder, `${DUMP.file}${DUMP.sealed}`));
    await pipeline(content, createWriteStream(path, { mode: 0o600 }));
    return await work(path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
