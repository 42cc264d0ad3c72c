import { z } from "zod";

/** Outcome of looking at one value: fit, or what would be right, or what is wrong about it in words of its own. */
export type Looked<T> = { readonly fit: T } | { readonly right: string } | { readonly wrong: string };

/**
 * A schema of one value, from the text that Pulumi hands over.
 *
 * The issue's message is what would be right ("a whole number from 1 to 9") and follows "it must be", or, with
 * `params.verbatim`, what is wrong and follows the setting's name. read.ts makes the line from it.
 */
export function value<T>(look: (given: unknown) => Looked<T>) {
  return z.unknown().transform((given, context): T => {
    const looked = look(given);
    if ("fit" in looked) return looked.fit;
    context.addIssue(
      "right" in looked
        ? { code: "custom", message: looked.right, input: given }
        : { code: "custom", message: looked.wrong, input: given, params: { verbatim: true } },
    );
    return z.NEVER;
  });
}

/** One text that a test accepts. */
export function text(right: string, accept: (given: string) => boolean) {
  return value((given) => (typeof given === "string" && accept(given) ? { fit: given } : { right }));
}

/** `true` or `false`, nothing else that some language takes for one of them. */
export function flag() {
  return value((given) => {
    if (given === true || given === "true") return { fit: true };
    if (given === false || given === "false") return { fit: false };
    return { right: "true or false" };
  });
}

/** A whole number; `unit` is named in the error ("seconds"). */
export function wholeNumber(least: number, most: number, unit = "") {
  const right = `a whole number${unit === "" ? "" : ` of ${unit}`} from ${least} to ${most}`;
  return value((given) => {
    const number = numberOf(given, /^-?\d{1,15}$/);
    const fits = number !== undefined && Number.isInteger(number) && number >= least && number <= most;
    return fits ? { fit: number } : { right };
  });
}

/** A number with decimals. */
export function decimal(least: number, most: number, unit = "") {
  const right = `a number${unit === "" ? "" : ` of ${unit}`} from ${least} to ${most}`;
  return value((given) => {
    const number = numberOf(given, /^-?\d{1,15}(\.\d{1,15})?$/);
    return number !== undefined && number >= least && number <= most ? { fit: number } : { right };
  });
}

/** One of some words. */
export function oneOf<const Word extends string>(...words: readonly Word[]) {
  const right = `one of ${words.join(", ")}`;
  return value<Word>((given) => {
    const word = words.find((one) => one === given);
    return word === undefined ? { right } : { fit: word };
  });
}

/** A list without doubles; `example` is JSON and stands in the error. */
export function listOf<T>(element: z.ZodType<T>, example: string) {
  return z.array(element, { error: `a list such as ${example}` }).superRefine((list, context) => {
    list.forEach((one, index) => {
      if (list.indexOf(one) === index) return;
      context.addIssue({
        code: "custom",
        message: "is there already; each may be listed once",
        path: [index],
        params: { verbatim: true },
      });
    });
  });
}

/** A map whose entries are looked at one by one, name and value together. */
export function mapOf<T>(example: string, look: (name: string, given: unknown) => Looked<T>) {
  return z.unknown().transform((given, context): Readonly<Record<string, T>> => {
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      context.addIssue({ code: "custom", message: `a map such as ${example}`, input: given });
      return z.NEVER;
    }
    const entries: [string, T][] = [];
    for (const [name, one] of Object.entries(given)) {
      const looked = look(name, one);
      if ("fit" in looked) entries.push([name, looked.fit]);
      else
        context.addIssue({
          code: "custom",
          message: "right" in looked ? looked.right : looked.wrong,
          path: [name],
          input: one,
          params: { verbatim: "wrong" in looked },
        });
    }
    return Object.fromEntries(entries);
  });
}

function numberOf(given: unknown, form: RegExp): number | undefined {
  if (typeof given === "number") return Number.isFinite(given) ? given : undefined;
  return typeof given === "string" && form.test(given) ? Number(given) : undefined;
}

const LONGEST_SHOWN = 60;

/** A given value for a message: quoted as JSON, on one line, cut when long. */
export function show(given: unknown): string {
  const whole = typeof given === "number" ? String(given) : (JSON.stringify(given) ?? String(given));
  if (whole.length <= LONGEST_SHOWN) return whole;
  return `${whole.slice(0, LONGEST_SHOWN)}… (${whole.length} characters)`;
}

/** A time with its zone, as ISO 8601. */
export function moment() {
  return text(
    "a time with its zone, such as 2026-03-01T18:00:00Z",
    (given) => /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(given) && !Number.isNaN(Date.parse(given)),
  );
}
