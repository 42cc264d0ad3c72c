import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "./directories.mjs";
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
  const { PULUMI_PACKAGES, pulumiVersion } = await versions();
  const place = join(cache, "tools", `official-${pulumiVersion}`);
  await mkdir(join(place, "plugins"), { recursive: true });
  if (!existsSync(join(place, "bin", "pulumi"))) {
    const script = `import("@pulumi/pulumi/automation/index.js").then(({ PulumiCommand }) => PulumiCommand.install({ root: process.argv[1] }))`;
    await progress.step(`Downloading Pulumi ${pulumiVersion}`, () => run(node, ["-e", script, place], { cwd: PROJECT_DIRECTORY }));
  }
  await Promise.all(
    PULUMI_PACKAGES.filter(({ name, version }) => !existsSync(join(place, "plugins", `resource-${name}-v${version}`))).map(
      ({ name, version }) =>
        progress.step(`Downloading the ${name} plugin ${version}`, () =>
          run(join(place, "bin", "pulumi"), ["plugin", "install", "resource", name, version], {
            env: { ...process.env, PULUMI_HOME: place, PULUMI_SKIP_UPDATE_CHECK: "true" },
          }),
        ),
    ),
  );
  return place;
}

async function versions() {
  const { readFile } = await import("node:fs/promises");
  /** @type {{dependencies: Record<string, string>}} */
  const { dependencies } = JSON.parse(await readFile(join(PROJECT_DIRECTORY, "package.json"), "utf8"));
  const PULUMI_PACKAGES = ["docker", "random", "command"].map((name) => ({ name, version: String(dependencies[`@pulumi/${name}`]) }));
  return { PULUMI_PACKAGES, pulumiVersion: String(dependencies["@pulumi/pulumi"]) };
}
