import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { identifier, literal, requireName } from "../../operations/sql.ts";
import { sqlError } from "../../operations/superuser/sql-error.ts";
import { UserError } from "../../operations/user-error.ts";

const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed() && !value.includes("\0"));
const names = text.filter((value) => Buffer.byteLength(value) <= 63);

describe("F15 quoting", () => {
  test("F15 an identifier is one quoted word that reads back as the name", () => {
    fc.assert(
      fc.property(names, (name) => {
        const quoted = identifier(name);
        expect(quoted).toMatch(/^"(?:[^"]|"")*"$/s);
        expect(quoted.slice(1, -1).replaceAll('""', '"')).toBe(name);
      }),
    );
  });

  test("F15 a literal is one quoted text that reads back as the value, whatever standard_conforming_strings is", () => {
    fc.assert(
      fc.property(text, (value) => {
        const quoted = literal(value);
        const escaped = value.includes("\\");
        expect(quoted.startsWith(escaped ? "E'" : "'")).toBe(true);
        const inner = quoted.slice(escaped ? 2 : 1, -1);
        expect(inner).toMatch(/^(?:[^'\\]|''|\\\\)*$/s);
        expect(inner.replaceAll("''", "'").replaceAll("\\\\", "\\")).toBe(value);
      }),
    );
  });

  test("F15 a name that the server would cut is refused, never passed on", () => {
    expect(() => identifier("é".repeat(32))).toThrow(/64/);
    expect(identifier("é".repeat(31))).toBe(`"${"é".repeat(31)}"`);
  });

  test("F15 a NUL byte and broken Unicode are refused", () => {
    for (const bad of ["a\0b", "\uDC00"]) {
      expect(() => identifier(bad)).toThrow(UserError);
      expect(() => literal(bad)).toThrow(UserError);
      expect(() => requireName(bad, "role")).toThrow(UserError);
    }
  });

  test("F15 a name has 1 to 63 bytes, and the refusal is one short line", () => {
    expect(() => requireName("é".repeat(31), "role")).not.toThrow();
    expect(() => requireName("é".repeat(32), "role")).toThrow(/64/);
    expect(() => requireName("", "schema")).toThrow(/^schema ""/);
    try {
      requireName(`${"x\n".repeat(5_000_000)}`, "database");
      expect.unreachable();
    } catch (error) {
      expect(String(error).length).toBeLessThan(300);
      expect(String(error)).not.toContain("\n");
    }
  });
});

describe("S2 errors of psql", () => {
  test("S2 give message, SQLSTATE and line, not the statement that psql quotes", () => {
    const error = sqlError(
      `psql:<stdin>:3: ERROR:  42601: syntax error at or near "PASWORD"
LINE 1: ALTER ROLE a PASWORD 'SCRAM-SHA-256$4096:secret';
                     ^
LOCATION:  scanner_yyerror, scan.l:1241
`,
      3,
    );
    expect(error).toMatchObject({
      code: "42601",
      line: 3,
      serverMessage: 'syntax error at or near "PASWORD"',
    });
    expect(String(error)).not.toContain("SCRAM");
  });

  test("S2 tell a missing database from other refusals", () => {
    const refused = (reason: string) =>
      sqlError(
        `psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: FATAL:  ${reason}\n`,
        2,
      );
    expect(refused('database "app" does not exist')).toMatchObject({
      code: "3D000",
      serverMessage: 'database "app" does not exist',
    });
    expect(refused("the database system is starting up").code).toBe("57P03");
    expect(sqlError("", 137).message).toBe("psql ended with exit code 137");
  });
});
