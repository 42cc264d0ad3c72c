import { documentation } from "./documentation.ts";
import type { Problem } from "./problem.ts";
import { SETTING_KEYS, type SettingKey, settingsSchema } from "./schema.ts";
import type { SettingsContext } from "./settings.ts";

/** What was given for a key, and how messages name it. */
export interface RawValue {
  readonly value: unknown;
  /** `pgstack:port`, or the environment variable that the value comes from. */
  readonly name: string;
  readonly secret: boolean;
}

const NAMESPACE = "pgstack:";
/** Far above any sensible value; keeps a file's content that slipped in out of the schema and of the messages. */
const LARGEST_BYTES = 65_536;
/** A map of lists is the deepest that any key takes. */
const DEEPEST = 4;

/**
 * The keys of the stack's config without their namespace, lists and maps read from their JSON text, and environment
 * variables in the place of defaults. Keys of other namespaces are left to those they belong to.
 */
export function readRaw(
  config: Readonly<Record<string, unknown>>,
  context: SettingsContext,
): { readonly values: ReadonlyMap<string, RawValue>; readonly problems: readonly Problem[] } {
  const values = new Map<string, RawValue>();
  const problems: Problem[] = [];
  const secrets = new Set(context.secretKeys?.map(withoutNamespace));
  const add = (key: string, name: string, given: unknown): void => {
    const wrong = unfit(given);
    const value = isStructured(key) && wrong === undefined ? structure(given) : given;
    const found = wrong ?? unfitInside(value);
    if (found !== undefined) problems.push({ keys: [key], text: found });
    values.set(key, { value: found === undefined ? value : undefined, name, secret: secrets.has(key) });
  };
  for (const [name, given] of Object.entries(config)) {
    if (given === undefined || (name.includes(":") && !name.startsWith(NAMESPACE))) continue;
    const key = withoutNamespace(name);
    if (values.has(key))
      problems.push({ keys: [key], text: "is there twice, with and without pgstack:; keep one" });
    else add(key, `${NAMESPACE}${key}`, given);
  }
  for (const key of SETTING_KEYS) {
    const variable = documentation.get(settingsSchema.shape[key])?.variable;
    const given = variable === undefined ? undefined : context.environment[variable];
    if (variable !== undefined && given !== undefined && given !== "" && !values.has(key))
      add(key, variable, given);
  }
  return { values, problems };
}

function withoutNamespace(name: string): string {
  return name.startsWith(NAMESPACE) ? name.slice(NAMESPACE.length) : name;
}

function isStructured(key: string): boolean {
  return Object.hasOwn(settingsSchema.shape, key)
    ? documentation.get(settingsSchema.shape[key as SettingKey])?.structured === true
    : false;
}

/** Text that is no JSON stays text, and the schema says what would be right. */
function structure(given: unknown): unknown {
  if (typeof given !== "string") return given;
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

function unfit(given: unknown): string | undefined {
  const bytes = Buffer.byteLength(typeof given === "string" ? given : (JSON.stringify(given) ?? ""));
  if (bytes > LARGEST_BYTES) return `is ${bytes} bytes long; it must be at most ${LARGEST_BYTES} bytes`;
  return undefined;
}

/** Control characters, broken Unicode and needless depth anywhere in a value: names and texts of maps too. */
function unfitInside(given: unknown): string | undefined {
  let level = [given];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return "has lists or maps nested too deep; no setting needs that";
    for (const one of level) {
      const wrong = typeof one === "string" ? unfitText(one) : undefined;
      if (wrong !== undefined) return wrong;
    }
    level = level.flatMap((one) =>
      typeof one === "object" && one !== null ? [...Object.keys(one), ...Object.values(one)] : [],
    );
  }
  return undefined;
}

function unfitText(text: string): string | undefined {
  const [control] = /[\p{Cc}\u2028\u2029]/u.exec(text) ?? [];
  if (control !== undefined) {
    const code = control.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `has a line break or another control character (U+${code}); it must be one line of plain text`;
  }
  return text.isWellFormed() ? undefined : "has half a Unicode character; it must be one line of plain text";
}
