import type { YAMLMap } from "yaml";
import type { RunningSecrets } from "../../operations/running-secrets.ts";
import { yaml } from "../yaml.ts";

/** Settings of a stack whose state is made anew. */
export interface RebuiltSettings {
  readonly text: string;
  /** What was taken out, by its path below `pgstack:`. */
  readonly removed: readonly string[];
  /** What the running system still knows, by its path below `pgstack:`; to be set as secrets. */
  readonly secrets: readonly (readonly [path: string, secret: string])[];
}

const PREFIX = "pgstack:";

/**
 * Takes out what a new state cannot have: a restore would be done again, and what is encrypted with a lost passphrase
 * opens for nobody.
 *
 * @param locked Whether the passphrase is lost.
 */
export function rebuiltSettings(text: string, running: RunningSecrets, locked: boolean): RebuiltSettings {
  const document = yaml().parseDocument(locked ? text.replace(/^encryptionsalt:.*\n?/m, "") : text);
  const removed: string[] = [];
  const remove = (path: readonly string[]): void => {
    document.deleteIn(["config", ...path]);
    removed.push(path.join(".").replace(PREFIX, ""));
  };
  for (const key of ["restore", "allowRestoreUntil"]) {
    if (document.hasIn(["config", PREFIX + key])) remove([PREFIX + key]);
  }
  if (locked) {
    const config = (document.get("config") as YAMLMap | undefined)?.toJSON() as unknown;
    for (const path of encryptedIn(config)) remove(path);
  }
  const has = (...path: string[]): boolean => document.hasIn(["config", ...path]);
  const isEncrypted = String(document.getIn(["config", `${PREFIX}backupEncryption`])) === "true";
  const { backupKey, storage } = running;
  const secrets: [string, string][] = [];
  if (backupKey !== undefined && isEncrypted && !has(`${PREFIX}backupKey`))
    secrets.push(["backupKey", backupKey]);
  if (storage !== undefined && has(`${PREFIX}backupS3`)) {
    for (const name of ["key", "secret"] as const) {
      if (!has(`${PREFIX}backupS3`, name)) secrets.push([`backupS3.${name}`, storage[name]]);
    }
  }
  const set = new Set(secrets.map(([path]) => path));
  return {
    text: document.toString({ lineWidth: 0 }),
    removed: removed.filter((path) => !set.has(path)),
    secrets,
  };
}

/** The paths of values that Pulumi has encrypted. */
export function encryptedIn(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [];
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]?.[0] === "secure") return [[...path]];
  return entries.flatMap(([key, below]) => encryptedIn(below, [...path, key]));
}
