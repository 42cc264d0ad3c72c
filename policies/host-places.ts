import { posix } from "node:path";

/** Folders that belong to the host's system, in lower case: some hosts do not tell capitals apart. */
const SYSTEM = new Set([
  ...[
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "lost+found",
    "proc",
    "root",
    "run",
    "sbin",
  ],
  ...["snap", "sys", "usr", "var", "private", "system", "library"],
]);
/** What of it is for data of one's own. */
const OPEN = /^\/var\/((backups|local|opt)|lib\/(pgbackrest|[^/]*backups?[^/]*))(\/|$)/;

/** A path as the host reads it, as far as its text tells; undefined when it is no absolute one. */
export function normalPath(path: unknown): string | undefined {
  if (typeof path !== "string" || !path.startsWith("/") || /[\p{Cc}\\]/u.test(path)) return undefined;
  const normal = posix.normalize(path).replace(/^\/+/, "/");
  return normal === "/" ? normal : normal.replace(/\/+$/, "");
}

/**
 * Why a folder of the host must not be seen by a container; undefined: it may hold backups. Links cannot be seen from its
 * text.
 *
 * @param engineFolders Where engines keep their own data.
 */
export function unfitHostPlace(path: string, engineFolders: readonly string[]): string | undefined {
  const parts = path.split("/").slice(1);
  const [top = ""] = parts;
  if (top === "") return "it is the whole host";
  if (parts.some((part) => part.startsWith("."))) return "a hidden folder holds keys and settings";
  if (SYSTEM.has(top.toLowerCase()) && !OPEN.test(path)) return "it belongs to the host's system";
  if (top.toLowerCase() === "home" && parts.length < 3) return "it is somebody's home";
  const engine = engineFolders.find((folder) => isWithin(path, folder) || isWithin(folder, path));
  return engine === undefined ? undefined : "the engine keeps its own data there";
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
