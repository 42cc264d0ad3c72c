import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scramVerifier, verifierMatches } from "../../operations/scram.ts";
import { UserError } from "../../operations/user-error.ts";

// The exchange in RFC 7677, section 3.
const RFC = {
  password: "pencil",
  salt: Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"),
  iterations: 4096,
  message:
    "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  proof: Buffer.from("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "base64"),
  serverSignature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

describe("S2 SCRAM-SHA-256 verifiers", () => {
  test("S2 hold the keys of the exchange in RFC 7677", () => {
    const verifier = scramVerifier(RFC.password, RFC);
    const [, head, storedKey = "", serverKey = ""] = /^(.*)\$(.*):(.*)$/.exec(verifier) ?? [];
    expect(head).toBe("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==");
    const hmac = (key: string): Buffer =>
      createHmac("sha256", Buffer.from(key, "base64")).update(RFC.message).digest();
    expect(hmac(serverKey).toString("base64")).toBe(RFC.serverSignature);
    const signature = hmac(storedKey);
    const clientKey = RFC.proof.map((byte, index) => byte ^ (signature[index] ?? 0));
    expect(createHash("sha256").update(clientKey).digest("base64")).toBe(storedKey);
  });

  test("S2 fit their password and no other", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 }),
        fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 50 }),
        fc.uint8Array({ minLength: 1, maxLength: 32 }),
        (password, other, iterations, salt) => {
          const verifier = scramVerifier(password, { iterations, salt: Buffer.from(salt) });
          expect(verifierMatches(verifier, password)).toBe(true);
          expect(verifierMatches(verifier, other)).toBe(other === password);
          if (password.length > 3) expect(verifier).not.toContain(password);
        },
      ),
    );
  });

  test("S2 use a salt of their own each time", () => {
    const verifiers = Array.from({ length: 20 }, () => scramVerifier("same", { iterations: 1 }));
    expect(new Set(verifiers).size).toBe(20);
  });

  test("F13 nothing matches what is no SCRAM-SHA-256 verifier", () => {
    const right = scramVerifier("secret", { iterations: 1 });
    const wrong = [
      "",
      "secret",
      "md5c2df26f6f5e9b2e0a1f9b9b9b9b9b9b9",
      right.replace("SCRAM-SHA-256", "SCRAM-SHA-512"),
      right.replace("$1:", "$0:"),
      right.replace("$1:", "$2:"),
      right.slice(0, -1),
      `${right}x`,
      right.replace(/:([^:]*)$/, ":"),
    ];
    for (const verifier of wrong) expect(verifierMatches(verifier, "secret"), verifier).toBe(false);
    fc.assert(fc.property(fc.string(), (text) => !verifierMatches(text, "secret")));
  });

  test.each([
    ["empty", "", /empty/],
    ["a NUL byte", "a\0b", /NUL/],
    ["half a surrogate pair", "a\uD800", /Unicode/],
    ["10 MB", "x".repeat(10 * 1024 * 1024), /10485760 bytes.*1024 is the most/],
    ["a decomposed letter", "e\u0301", /NFKC/],
    ["a ligature", "\uFB01sh", /NFKC/],
    ["a no-break space", "a\u00A0b", /NFKC/],
    ["a soft hyphen", "a\u00ADb", /NFKC/],
  ])("F15 refuse a password that is or has %s, without showing it", (_, password, message) => {
    let refusal: unknown;
    try {
      scramVerifier(password);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(UserError);
    expect(String(refusal)).toMatch(message);
    expect(String(refusal).length).toBeLessThan(300);
    expect(password.length > 1 && String(refusal).includes(password)).toBe(false);
  });

  test("F15 take quotes, semicolons, line breaks, backslashes and other scripts", () => {
    for (const password of [
      "a'b\"c",
      "; DROP",
      "a\nb\tc",
      "$(id)`id`",
      "\\x\\",
      "пароль",
      "密码",
      "é",
      "😀",
      " ",
    ]) {
      expect(verifierMatches(scramVerifier(password, { iterations: 1 }), password)).toBe(true);
    }
  });
});
