import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { AgentConfiguration } from "../configuration.ts";
import { sandboxPlaces } from "./places.ts";
import { prepareSandbox } from "./server.ts";

/** Makes the scratch folder ready when the agent starts: what killed runs have left is removed, and the sandbox finds its places. */
export async function prepareScratch({
  scratchDirectory,
  sandboxDirectory,
}: Pick<AgentConfiguration, "scratchDirectory" | "sandboxDirectory">): Promise<void> {
  await rm(scratchDirectory, { recursive: true, force: true });
  await mkdir(scratchDirectory, { recursive: true, mode: 0o700 });
  if (sandboxDirectory === undefined) return;
  const { requests, clusters, lock } = sandboxPlaces(sandboxDirectory);
  // The clusters are the sandbox's own, which removes them.
  const kept = new Set([requests, clusters, lock, scratchDirectory].map((path) => basename(path)));
  for (const name of await readdir(sandboxDirectory)) {
    if (!kept.has(name)) await rm(join(sandboxDirectory, name), { recursive: true, force: true });
  }
  await prepareSandbox(sandboxDirectory);
}
