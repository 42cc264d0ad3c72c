import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AgentConfiguration } from "../../agent/configuration.ts";
import { folders, isClusterThere, swapBack, swapIn } from "../../agent/restore/swap.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ID = "20260301T143000Z-0000";

/** A data volume with these clusters in it; each holds a file with its own name. */
async function volume(...clusters: ("current" | "restored")[]): Promise<AgentConfiguration> {
  const configuration = { dataDirectory: join(await temporaryFolder(), "current") } as AgentConfiguration;
  for (const cluster of clusters) await makeCluster(folders(configuration, ID)[cluster], cluster);
  return configuration;
}

async function makeCluster(folder: string, name: string): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, "PG_VERSION"), name);
}

function clusterIn(folder: string): Promise<string> {
  return readFile(join(folder, "PG_VERSION"), "utf8");
}

describe("the exchange of two clusters", () => {
  test("keeps the one before, and is undone", async () => {
    const configuration = await volume("current", "restored");
    const { current, previous } = folders(configuration, ID);
    await swapIn(configuration, ID);
    expect([await clusterIn(current), await clusterIn(previous)]).toEqual(["restored", "current"]);
    await swapBack(configuration, ID);
    expect(await clusterIn(current)).toBe("current");
    expect(isClusterThere(configuration)).toBe(true);
  });

  test("puts the restored one in use also where the one before is lost altogether, and goes on after a kill", async () => {
    const configuration = await volume("restored");
    const { current, previous } = folders(configuration, ID);
    await mkdir(previous);
    await swapIn(configuration, ID);
    await swapIn(configuration, ID);
    expect(await clusterIn(current)).toBe("restored");
    expect(await readdir(previous)).toEqual([]);
  });

  test("is undone to nothing where nothing was: no server may begin with an empty cluster then", async () => {
    for (const killedBefore of [false, true]) {
      const configuration = await volume("restored");
      const { root, current, restored } = folders(configuration, ID);
      await swapIn(configuration, ID);
      if (killedBefore) await rename(current, restored);
      await swapBack(configuration, ID);
      await swapBack(configuration, ID);
      expect(existsSync(current)).toBe(false);
      expect(isClusterThere(configuration)).toBe(false);
      expect(await readdir(root)).toEqual([`restore-${ID}`]);
    }
  });
});
