import { createPrivateKey } from "node:crypto";

/** A secret in the forms in which it could turn up. */
export interface Secret {
  readonly name: string;
  readonly forms: readonly SecretForm[];
}

/** One spelling of a secret. */
export interface SecretForm {
  readonly spelling: string;
  readonly bytes: Buffer;
}

/** Shorter pieces than this turn up by chance. */
const SHORTEST_BYTES = 12;
const TELLING_CHARACTERS = 16;

/** A password, a passphrase: any text of which already the first 16 characters tell too much. */
export function textSecret(name: string, value: string): Secret {
  const escaped = JSON.stringify(value).slice(1, -1);
  return secret(name, [
    ["plain", value],
    ["its first 16 characters", value.slice(0, TELLING_CHARACTERS)],
    ["URL-encoded", encodeURIComponent(value)],
    ["JSON-escaped", escaped],
    ["JSON-escaped twice", JSON.stringify(escaped).slice(1, -1)],
    ...encoded(Buffer.from(value)),
    ...encoded(Buffer.from(value.slice(0, TELLING_CHARACTERS))),
  ]);
}

/** A private key on an elliptic curve: its number and the lines of its PEM text that hold a part of it. */
export function privateKeySecret(name: string, pem: string): Secret {
  const { d } = createPrivateKey(pem).export({ format: "jwk" });
  if (d === undefined) throw new Error(`${name} is no key on an elliptic curve`);
  const number = Buffer.from(d, "base64url");
  // In PKCS #8 the number ends within the second line; what follows it is the public key, which certificates hold too.
  const lines = pem
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("-----"))
    .slice(0, 2);
  return secret(name, [
    ["bytes", number],
    ["its first 16 bytes", number.subarray(0, TELLING_CHARACTERS)],
    ...lines.map((line, index) => [`line ${index + 1} of its PEM text`, line] as const),
    ...lines.flatMap((line) => encoded(Buffer.from(line))),
    ...encoded(number),
    ...encoded(number.subarray(0, TELLING_CHARACTERS)),
  ]);
}

/** A SCRAM verifier: whoever has its keys can try passwords by himself, or pose as the server. */
export function verifierSecret(name: string, verifier: string): Secret {
  const [, salt = "", keys = ""] = verifier.split("$");
  const [stored = "", server = ""] = keys.split(":");
  if (server === "") throw new Error(`${name} is no SCRAM verifier`);
  const parts = { salt: salt.slice(salt.indexOf(":") + 1), "stored key": stored, "server key": server };
  return secret(
    name,
    Object.entries(parts).flatMap(([part, base64]) => [
      [part, base64],
      [`first 16 characters of its ${part}`, base64.slice(0, TELLING_CHARACTERS)],
      [`${part}, URL-encoded`, encodeURIComponent(base64)],
      ...encoded(Buffer.from(base64, "base64")),
      ...encoded(Buffer.from(base64)),
    ]),
  );
}

/** Looks for secrets in whatever it is shown, and remembers where it found one; never which characters. */
export class SecretSearch {
  readonly #secrets: readonly Secret[];
  readonly #found = new Set<string>();
  #bytes = 0;

  constructor(secrets: readonly Secret[]) {
    this.#secrets = secrets;
  }

  /** Where which secret was, in which spelling; empty when nothing was found. */
  get found(): string[] {
    return [...this.#found].sort();
  }

  /** How much was looked through. */
  get bytes(): number {
    return this.#bytes;
  }

  look(place: string, content: string | Buffer): void {
    const bytes = Buffer.from(content);
    this.#bytes += bytes.length;
    for (const { name, forms } of this.#secrets) {
      const form = forms.find((one) => bytes.includes(one.bytes));
      if (form !== undefined) this.#found.add(`${place}: ${name} (${form.spelling})`);
    }
  }
}

function secret(name: string, forms: readonly (readonly [string, string | Buffer])[]): Secret {
  const all = new Map<string, SecretForm>();
  for (const [spelling, value] of forms) {
    const bytes = Buffer.from(value);
    const key = bytes.toString("hex");
    if (bytes.length < SHORTEST_BYTES) throw new Error(`${name} is too short to be looked for (${spelling})`);
    if (!all.has(key)) all.set(key, { spelling, bytes });
  }
  return { name, forms: [...all.values()] };
}

/** Hexadecimal, and what all base64 texts share that hold the bytes: three, by where in the text they begin. */
function encoded(bytes: Buffer): [string, string][] {
  const base64 = [0, 1, 2].flatMap((before): [string, string][] => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const inner = text.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3));
    return [
      [`base64, ${before} bytes in`, inner],
      [`base64url, ${before} bytes in`, inner.replaceAll("+", "-").replaceAll("/", "_")],
    ];
  });
  const hex = bytes.toString("hex");
  return [["hexadecimal", hex], ["hexadecimal in capitals", hex.toUpperCase()], ...base64];
}
