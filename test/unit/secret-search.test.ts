import { generateKeyPairSync, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { issueCertificates } from "../../operations/certificates.ts";
import { scramVerifier } from "../../operations/scram.ts";
import { privateKeySecret, SecretSearch, textSecret, verifierSecret } from "../support/security/secrets.ts";

const password = "xU4nQ9ab7Lk2Zr8WcT1vEo6Ys3GdPm5H";
const passphrase = 'a "passphrase"\\ with\nmore & signs é';

/** What a text could look like where it has leaked to. */
const LEAKS: Readonly<Record<string, (value: string) => string | Buffer>> = {
  plain: (value) => value,
  "in a URL": (value) => `postgresql://application:${encodeURIComponent(value)}@host/app`,
  "in JSON": (value) => JSON.stringify({ value }),
  "in JSON in JSON": (value) => JSON.stringify({ text: JSON.stringify({ value }) }),
  "cut short": (value) => value.slice(0, 16),
  base64: (value) => Buffer.from(value).toString("base64"),
  "base64 of a longer text": (value) => Buffer.from(`PGPASSWORD=${value}\n`).toString("base64"),
  "base64 of a longer text, shifted": (value) => Buffer.from(`password: ${value}\n`).toString("base64"),
  "base64url of a header": (value) => Buffer.from(`application:${value}`).toString("base64url"),
  hexadecimal: (value) => Buffer.from(value).toString("hex"),
};

test.each(Object.entries(LEAKS))("S2 the search finds a password %s among other bytes", (_, leak) => {
  for (const value of [password, passphrase]) {
    const search = new SecretSearch([textSecret("the password", value)]);
    const noise = randomBytes(4096);
    search.look("a file", Buffer.concat([noise, Buffer.from(leak(value)), noise]));
    expect(search.found).toHaveLength(1);
    expect(search.found[0]).toMatch(/^a file: the password \(/);
    expect(search.found[0]).not.toContain(value.slice(0, 8));
  }
});

test("S2 the search finds a private key as PEM text, as bytes and as base64, and not the certificate", async () => {
  const { key, certificate, authority } = await issueCertificates({
    commonName: "db",
    names: ["db"],
    addresses: [],
  });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const other = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const der = Buffer.from(key.replaceAll(/-----.*-----|\n/g, ""), "base64");
  const found = (content: string | Buffer): boolean => {
    const search = new SecretSearch([privateKeySecret("the key", key)]);
    search.look("there", content);
    return search.found.length > 0;
  };
  expect(
    [key, der, JSON.stringify({ key }), Buffer.from(`key: ${key}`).toString("base64")].map(found),
  ).toEqual([true, true, true, true]);
  expect(found(`begins ${der.toString("base64")}`)).toBe(true);
  expect([certificate, authority.certificate, other].map(found)).toEqual([false, false, false]);
});

test("S2 the search finds a SCRAM verifier by each of its parts", () => {
  const verifier = scramVerifier(password);
  const search = new SecretSearch([verifierSecret("the verifier", verifier)]);
  for (const [index, part] of verifier.split(/[$:]/).slice(2).entries())
    search.look(`part ${index}`, `…${part}…`);
  expect(search.found.map((place) => place.slice(0, 6))).toEqual(["part 0", "part 1", "part 2"]);
  const other = new SecretSearch([verifierSecret("the verifier", scramVerifier(password))]);
  other.look("another", verifier);
  expect(other.found).toEqual([]);
});
