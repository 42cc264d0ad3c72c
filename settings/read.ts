import type { z } from "zod";
import { UserError } from "../operations/user-error.ts";
import { combinationProblems } from "./combinations.ts";
import { applyDefaults } from "./defaults.ts";
import { nearest } from "./nearest.ts";
import { mismatch, type Problem } from "./problem.ts";
import { type RawValue, readRaw } from "./raw.ts";
import { SETTING_KEYS, settingsSchema } from "./schema.ts";
import { isServerParameter } from "./server-parameters.ts";
import type { Settings, SettingsContext } from "./settings.ts";
import { show } from "./values.ts";

export type { Environment, RoleKind, Settings, SettingsContext, TlsSettings } from "./settings.ts";

/**
 * Reads a stack's config: checks every key and what they tell together, applies the defaults.
 *
 * @param config What Pulumi's config holds: texts, lists and maps as JSON text; keys with or without `pgstack:`.
 * Values that are structures already are taken as they are.
 * @throws UserError with one line for each thing that is wrong: the key, what was given, what would be right.
 */
export function readSettings(config: Readonly<Record<string, unknown>>, context: SettingsContext): Settings {
  const { values, problems: unread } = readRaw(config, context);
  const broken = new Set(unread.flatMap((problem) => problem.keys.map(topKey)));
  const first = parse(values, broken);
  const problems = [...unread, ...first.problems];
  for (const problem of first.problems) for (const key of problem.keys) broken.add(topKey(key));

  // Combinations of what is left are looked at too, so that one run shows all that is wrong.
  const second = broken.size === 0 ? first : parse(values, broken);
  if (second.given !== undefined) {
    const settings = applyDefaults(second.given, context);
    const combined = combinationProblems({ settings, given: second.given, context });
    problems.push(...combined.filter((one) => !one.keys.some((key) => broken.has(topKey(key)))));
    if (problems.length === 0) return frozen(settings);
  }
  throw new UserError(lines(problems, values).join("\n"));
}

function parse(
  values: ReadonlyMap<string, RawValue>,
  without: ReadonlySet<string>,
): { readonly given?: z.output<typeof settingsSchema>; readonly problems: readonly Problem[] } {
  const object = Object.fromEntries(
    [...values].filter(([key]) => !without.has(key)).map(([key, raw]) => [key, raw.value]),
  );
  const parsed = settingsSchema.safeParse(object);
  if (parsed.success) return { given: parsed.data, problems: [] };
  return { problems: parsed.error.issues.flatMap((issue) => problemsOf(issue, values)) };
}

function problemsOf(issue: z.core.$ZodIssue, values: ReadonlyMap<string, RawValue>): Problem[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const known = path.length === 0 ? SETTING_KEYS : knownBelow(path);
    return issue.keys.map((key) => unknownKey(path, key, known));
  }
  const keys = [path.join(".")];
  if (issue.code === "custom" && issue.params?.verbatim === true) return [{ keys, text: issue.message }];
  return [mismatch(keys, at(values.get(path[0] ?? "")?.value, path.slice(1)), issue.message)];
}

function unknownKey(path: readonly string[], key: string, known: readonly string[]): Problem {
  const keys = [[...path, key].join(".")];
  const near = nearest(key, known);
  if (near !== undefined) {
    return { keys, text: `is not a setting; did you mean pgstack:${[...path, near].join(".")}?` };
  }
  const parameter = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (path.length === 0 && isServerParameter(parameter)) {
    return { keys, text: `is not a setting; did you mean pgstack:serverSettings.${parameter}?` };
  }
  const right = path.length === 0 ? "those in docs/settings.md" : known.join(", ");
  return { keys, text: `is not a setting; it must be one of ${right}` };
}

function knownBelow(path: readonly string[]): readonly string[] {
  const defaults: unknown = settingsSchema.parse({});
  const shape = at(defaults, path);
  return path[0] === "tls" ? TLS_KEYS : Object.keys(typeof shape === "object" && shape !== null ? shape : {});
}

const TLS_KEYS = ["mode", "certificatesDirectory", "domain", "validityDays", "renewBeforeDays", "names"];

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (found, key) =>
      typeof found === "object" && found !== null ? (found as Record<string, unknown>)[key] : undefined,
    value,
  );
}

/** Settings whose value may hold a password though nobody called it a secret. */
function isDelicate(key: string): boolean {
  return /pass|secret|token|conninfo|credential|Key$/i.test(key) && key !== "passwordLength";
}

function topKey(key: string): string {
  return key.split(".", 1)[0] ?? key;
}

/** The problems as lines, in the order of the reference. */
function lines(problems: readonly Problem[], values: ReadonlyMap<string, RawValue>): string[] {
  const order: readonly string[] = SETTING_KEYS;
  const rank = (problem: Problem): number => {
    const index = order.indexOf(topKey(problem.keys[0] ?? ""));
    return index === -1 ? order.length : index;
  };
  return problems
    .toSorted((one, other) => rank(one) - rank(other))
    .map((problem) => {
      const [key] = problem.keys;
      if (key === undefined) return problem.text;
      const top = topKey(key);
      const name = values.get(top)?.name ?? `pgstack:${top}`;
      const said = (): string => {
        if (problem.given === undefined) return problem.text;
        const hidden = values.get(top)?.secret === true || isDelicate(key);
        return `is ${hidden ? "a value not shown here" : show(problem.given)}; it must be ${problem.text}`;
      };
      return `${printable(name + key.slice(top.length))} ${said()}`;
    });
}

/** A key from outside as it may stand in a message: short and on one line. */
function printable(name: string): string {
  const line = name.replaceAll(/[\p{Cc}\u2028\u2029]/gu, "?").toWellFormed();
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const one of Object.values(value)) frozen(one);
  }
  return value;
}
