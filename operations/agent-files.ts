import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { CONFIGURATION_DIRECTORY } from "./postgresql-conf.ts";
import type { VolumeFile } from "./volume-files.ts";

/** Folder of the agent's code in the configuration volume. */
const AGENT_FOLDER = "agent";
/** The agent's program as its container sees it. */
export const AGENT_MAIN = `${CONFIGURATION_DIRECTORY}/${AGENT_FOLDER}/main.ts`;

const SOURCES = fileURLToPath(new URL("../agent/", import.meta.url));
/** The one package that the agent uses: it has none of its own below it. */
const PACKAGE = "croner";

/** The agent's code as files of the configuration volume: its folder, and the package that it uses. */
export async function agentFiles(): Promise<VolumeFile[]> {
  const names = (await readdir(SOURCES, { recursive: true })).filter((name) => name.endsWith(".ts")).sort();
  const sources = names.map(async (name) =>
    file(name.split(sep).join("/"), await readFile(join(SOURCES, name))),
  );
  return [
    file("package.json", '{ "type": "module" }\n'),
    ...(await packageFiles()),
    ...(await Promise.all(sources)),
  ];
}

/** Changes with the agent's code. */
export function fingerprintOfFiles(files: readonly VolumeFile[]): string {
  const hash = createHash("sha256");
  for (const { path, content } of files) hash.update(`${path}\0${content.length}\0`).update(content);
  return hash.digest("hex").slice(0, 16);
}

async function packageFiles(): Promise<VolumeFile[]> {
  const entry = createRequire(import.meta.url).resolve(PACKAGE);
  const folder =
    entry.slice(0, entry.lastIndexOf(join("node_modules", PACKAGE))) + join("node_modules", PACKAGE);
  const { module: main = "index.js" }: { module?: string } = JSON.parse(
    await readFile(join(folder, "package.json"), "utf8"),
  );
  const place = posix.join("node_modules", PACKAGE);
  return [
    file(posix.join(place, "package.json"), JSON.stringify({ name: PACKAGE, type: "module", main })),
    file(posix.join(place, main), await readFile(join(folder, main))),
  ];
}

function file(path: string, content: string | Buffer): VolumeFile {
  return { path: posix.join(AGENT_FOLDER, path), content, mode: 0o600 };
}
