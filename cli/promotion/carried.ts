import { isDeepStrictEqual } from "node:util";
import { DURABILITY } from "../../operations/testing/fast-settings.ts";
import { parametersNamed } from "../../settings/parameter-catalogue.ts";
import type { Config } from "../new-stack.ts";
import type { Stack } from "../stack.ts";

/** What a promotion takes along, by its path below `pgstack:`. */
export type Carried = ReadonlyMap<string, unknown>;

/** One line of what a promotion changes. */
export interface Row {
  readonly setting: string;
  /** Undefined: not set. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Taken as they are. Sizes, ports, schedules, names and secrets are each environment's own. */
const PLAIN = ["majorVersion", "extensions", "schemas", "initSql"] as const;
const SERVER_SETTINGS = "serverSettings";
/** Units of what is a size of the machine, not a property of the server. */
const SIZES = new Set(["B", "kB", "8kB", "MB", "GB"]);

/** What was proven in a stack: its image to the digest, server settings, extensions, schemas, schema version. */
export function carriedFrom(
  config: Config,
  { image, schemaVersion }: Pick<Stack, "image" | "schemaVersion">,
): Carried {
  const carried = new Map<string, unknown>([
    // An image that is in no registry has no digest there: its name is all that can be carried.
    ["image", image?.pinned.includes("@sha256:") ? image.pinned : image?.reference],
  ]);
  for (const key of PLAIN) carried.set(key, configValue(config, key));
  for (const [name, value] of Object.entries(serverSettings(config))) {
    carried.set(`${SERVER_SETTINGS}.${name}`, value);
  }
  if (schemaVersion !== null) carried.set("schemaVersion", schemaVersion);
  return carried;
}

/** What is another one in the stack that is promoted to, parameters of the server that go included. */
export function differences(carried: Carried, config: Config): Row[] {
  const before = new Map<string, unknown>([
    ...["image", "schemaVersion", ...PLAIN].map((key) => [key, configValue(config, key)] as const),
    ...Object.entries(serverSettings(config)).map(
      ([name, value]) => [`${SERVER_SETTINGS}.${name}`, value] as const,
    ),
  ]);
  const settings = new Set([...carried.keys(), ...before.keys()]);
  // Without migrations in the source nothing is known of the schema, so nothing is said of it.
  if (!carried.has("schemaVersion")) settings.delete("schemaVersion");
  return [...settings]
    .map((setting) => ({ setting, before: before.get(setting), after: carried.get(setting) }))
    .filter((row) => !isDeepStrictEqual(row.before, row.after))
    .sort((one, other) => one.setting.localeCompare(other.setting));
}

/** The server's parameters that are no sizes, and not fast at the cost of data. */
function serverSettings(config: Config): Readonly<Record<string, unknown>> {
  const all = configValue(config, SERVER_SETTINGS);
  if (typeof all !== "object" || all === null) return {};
  const own = (name: string): boolean =>
    (DURABILITY as readonly string[]).includes(name) ||
    parametersNamed(name).some(({ unit }) => unit !== undefined && SIZES.has(unit));
  return Object.fromEntries(Object.entries(all).filter(([name]) => !own(name)));
}

/** A value of a stack's config as it was written: texts that are JSON or switches as what they mean. */
function configValue(config: Config, key: string): unknown {
  const { value, objectValue } = config[`pgstack:${key}`] ?? {};
  return objectValue ?? value;
}
