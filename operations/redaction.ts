/** Stands in logs and messages where a secret was. */
export const REDACTED = "[redacted]";

const SECRET_KEY = /passw|passphrase|pwd|secret|token|key|verifier|credential|private|authorization/i;
/** Secrets that give themselves away by their form, for values that nobody listed. */
const SECRET_FORMS: readonly [RegExp, string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  [/SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+/g, REDACTED],
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@/]+@/gi, `$1:${REDACTED}@`],
  [/(password\s*[=:]\s*)(?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|[^\s,;'"&]+)/gi, `$1${REDACTED}`],
];
const LONGEST_STRING = 2_000;
const DEEPEST = 8;

/**
 * Takes secrets out of a text: those handed in, also percent-encoded, quoted for SQL or in JSON, and those that
 * show by their form (passwords in URLs and `password=`, SCRAM verifiers, private keys).
 */
export function redactText(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  for (const form of spellings(secrets)) clean = clean.replaceAll(form, REDACTED);
  for (const [form, instead] of SECRET_FORMS) clean = clean.replace(form, instead);
  return clean;
}

/**
 * A copy of a value that may be logged: plain JSON, secrets taken out by the name of their key and by
 * {@link redactText}, long texts cut. Booleans stay also under a secret's name: they say only whether.
 */
export function redactValue(value: unknown, secrets: readonly string[] = [], depth = 0): unknown {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return shorten(redactText(value, secrets));
  if (typeof value !== "object") return undefined;
  if (depth >= DEEPEST) return "[deeper]";
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (value instanceof Error) return shorten(redactText(value.message, secrets));
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((part) => redactValue(part, secrets, depth + 1) ?? null);
  return redactFields(value, secrets, depth);
}

/** {@link redactValue} for the named parameters of an operation. */
export function redactParameters(
  parameters: Readonly<Record<string, unknown>>,
  secrets: readonly string[] = [],
): Record<string, unknown> {
  return redactFields(parameters, secrets, 0);
}

function redactFields(value: object, secrets: readonly string[], depth: number): Record<string, unknown> {
  const fields = Object.entries(value).map(([key, part]): [string, unknown] => {
    const name = shorten(redactText(key, secrets));
    if (!SECRET_KEY.test(key) || typeof part === "boolean" || part === null || part === undefined) {
      return [name, redactValue(part, secrets, depth + 1)];
    }
    return [name, REDACTED];
  });
  return Object.fromEntries(fields.filter(([, part]) => part !== undefined));
}

function spellings(secrets: readonly string[]): string[] {
  const all = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret.toWellFormed()),
    secret.replaceAll("'", "''"),
    JSON.stringify(secret).slice(1, -1),
  ]);
  // Longest first: a secret that holds another one must not leave its rest behind.
  return [...new Set(all)].filter((form) => form !== "").sort((left, right) => right.length - left.length);
}

function shorten(text: string): string {
  return text.length <= LONGEST_STRING
    ? text
    : `${text.slice(0, LONGEST_STRING)} … (${text.length} characters)`;
}
