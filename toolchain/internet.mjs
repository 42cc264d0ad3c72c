import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";
import { pluginVersions, pulumiVersion } from "./plugin-versions.mjs";
import { run } from "./run.mjs";

const PROBE = "https://get.pulumi.com/releases/sdk/";
const PROBE_TIMEOUT_MILLISECONDS = 2_000;

/**
 * Whether the official downloads can be reached from here.
 *
 * @returns {Promise<boolean>}
 */
export async function officialDownloadsReachable() {
  try {
    await fetch(PROBE, { method: "HEAD", signal: AbortSignal.timeout(PROBE_TIMEOUT_MILLISECONDS) });
    return true;
  } catch {
    return false;
  }
}

/**
 * Downloads the official command line and plugins of the versions that the lock file pins.
 *
 * @param {{node: string, cache: string, progress: import("./progress.mjs").Progress}} options
 * @returns {Promise<string>} the tools' folder, with `bin` and `plugins`
 */
export async function downloadOfficialTools({ node, cache, progress }) {
  const version = await pulumiVersion();
  const place = join(cache, "tools", `official-${version}`);
  await mkdir(join(place, "plugins"), { recursive: true });
  if (!existsSync(join(place, "bin", "pulumi"))) {
    const script = `import("@pulumi/pulumi/automation/index.js").then(({ PulumiCommand }) => PulumiCommand.install({ root: process.argv[1] }))`;
    await progress.step(`Downloading Pulumi ${version}`, () =>
      run(node, ["-e", script, place], { cwd: PROJECT_DIRECTORY }),
    );
  }
  const missing = Object.entries(await pluginVersions()).filter(
    ([name, plugin]) => !existsSync(join(place, "plugins", `resource-${name}-v${plugin}`)),
  );
  await Promise.all(
    missing.map(([name, plugin]) =>
      progress.step(`Downloading the ${name} plugin ${plugin}`, () =>
        run(join(place, "bin", "pulumi"), ["plugin", "install", "resource", name, plugin], {
          env: { ...process.env, PULUMI_HOME: place, PULUMI_SKIP_UPDATE_CHECK: "true" },
        }),
      ),
    ),
  );
  return place;
}
