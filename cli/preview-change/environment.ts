import { mkdir, realpath, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** What the code of a change is given of the caller's environment: how programs are found and speak, and the Docker engine. */
const GIVEN = new Set([
  ...[
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "PGSTACK_IMAGE",
  ],
  ...["PULUMI_SKIP_UPDATE_CHECK", "PULUMI_PARALLEL_DIFF", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"],
]);
/** What an installation of packages is given besides. */
const FOR_PACKAGES = new Set([
  ...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "NPM_CONFIG_REGISTRY"],
]);

/** The environment of the code of a change: what is needed of the caller's, with a home, caches and plugins of its own. */
export async function throwAwayEnvironment(
  folder: string,
  inherited: NodeJS.ProcessEnv,
): Promise<Record<string, string>> {
  const home = join(folder, "home");
  const pulumiHome = join(home, "pulumi");
  const temporary = join(home, "tmp");
  for (const place of [pulumiHome, temporary]) await mkdir(place, { recursive: true, mode: 0o700 });
  // The plugins themselves, and not by the way of the caller's own folder.
  const plugins = join(inherited["PULUMI_HOME"] ?? join(homedir(), ".pulumi"), "plugins");
  const real = await realpath(plugins).catch(() => undefined);
  if (real !== undefined) await symlink(real, join(pulumiHome, "plugins")).catch(() => {});
  return {
    ...chosen(inherited, (name) => GIVEN.has(name) || name.startsWith("LC_")),
    ...{ HOME: home, PULUMI_HOME: pulumiHome, TMPDIR: temporary, NO_COLOR: "1" },
    ...{ PGSTACK_OPERATOR: "preview-change" },
  };
}

/** The same for an installation of packages, none of which runs a script. */
export function packagesEnvironment(
  environment: Readonly<Record<string, string>>,
  inherited: NodeJS.ProcessEnv,
): Record<string, string> {
  return { ...environment, ...chosen(inherited, (name) => FOR_PACKAGES.has(name.toUpperCase())) };
}

function chosen(from: NodeJS.ProcessEnv, isChosen: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(from).flatMap(([name, value]) =>
      value !== undefined && isChosen(name) ? [[name, value]] : [],
    ),
  );
}
