import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT_DIRECTORY } from "../toolchain/directories.mjs";
import { UsageError } from "./exit-codes.ts";
import { note } from "./print.ts";
import { pulumi, setSecret } from "./pulumi.ts";

/** Letters of the longest stack name that {@link requireNewName} takes. */
export const LONGEST_NEW_NAME = 40;

/** What names or holds something of the old stack: the new one has its own. */
const NOT_TAKEN = new Set([
  ...["containerName", "networkName", "dataVolumeName", "configurationVolumeName", "adoptDataVolume"],
  ...[
    "publish",
    "publishAddress",
    "publishPort",
    "backupVolumeName",
    "backupDirectory",
    "backupS3",
    "backupKey",
  ],
  ...[
    "restore",
    "allowRestoreUntil",
    "allowDestroy",
    "allowDestroyUntil",
    "initSql",
    "rotations",
    "upgradeFrom",
  ],
]);

interface ConfigValue {
  readonly value?: string;
  readonly objectValue?: unknown;
  readonly secret: boolean;
}

/** A stack's config by its keys, secrets included. */
export type Config = Readonly<Record<string, ConfigValue>>;

export async function readConfig(stack: string): Promise<Config> {
  return JSON.parse(await pulumi(stack, "config", "--json", "--show-secrets")) as Config;
}

/** The file with a stack's settings. */
export function settingsFile(stack: string): string {
  return join(PROJECT_DIRECTORY, `Pulumi.${stack}.yaml`);
}

/** @throws UsageError where it is no name for a new stack. */
export function requireNewName(into: string): void {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(into) || into.length > LONGEST_NEW_NAME) {
    throw new UsageError(`${JSON.stringify(into)} is no stack's name: lower-case letters, digits and dashes`);
  }
  if (existsSync(settingsFile(into))) {
    throw new UsageError(`stack ${into} has settings already: name a new stack`);
  }
}

/** What a new stack has besides, or instead of, the settings of the one that it is made after. */
export interface Changes {
  readonly plain: Readonly<Record<string, unknown>>;
  /** By their paths below `pgstack:`. */
  readonly secrets?: readonly (readonly [path: string, secret: string])[];
}

/** Makes a stack with another one's settings, without what names or holds something of that one. Nothing is brought up. */
export async function makeStackAfter(
  old: string,
  config: Config,
  into: string,
  { plain, secrets = [] }: Changes,
): Promise<void> {
  requireNewName(into);
  const taken = Object.entries(config).filter(([key, { secret }]) => {
    const name = key.replace(/^pgstack:/, "");
    return !secret && !NOT_TAKEN.has(name) && !(name in plain);
  });
  const lines = [
    ...taken.map(([key, { value, objectValue }]) => `  ${key}: ${JSON.stringify(objectValue ?? value)}`),
    ...Object.entries(plain).map(([name, value]) => `  pgstack:${name}: ${JSON.stringify(value)}`),
  ];
  await writeFile(settingsFile(into), `${["config:", ...lines].join("\n")}\n`, { flag: "wx" });
  try {
    await pulumi(into, "stack", "init");
  } catch (error) {
    await rm(settingsFile(into));
    throw error;
  }
  note(`Pulumi.${into}.yaml is written: the settings of ${old}, and ${Object.keys(plain).join(", ")}`);
  for (const [path, secret] of secrets) await setSecret(into, path, secret);
}
