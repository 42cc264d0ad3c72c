import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "pg-connection-string";
import { describe, expect, test } from "vitest";
import { keywordString, shellWord } from "../../operations/connection-info/encode.ts";
import {
  type ConnectionInfoOptions,
  connectionInfo,
  formatConnectionInfo,
  MASKED_PASSWORD,
} from "../../operations/connection-info.ts";
import type { Target } from "../../operations/target.ts";
import { UserError } from "../../operations/user-error.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const target: Target = { stack: "dev", container: "pgstack-dev", port: 5432, database: "shop" };
const options: ConnectionInfoOptions = {
  role: "application",
  credential: { role: "shop_app", password: "s3cret" },
  trust: undefined,
  address: { host: "172.18.0.2", port: 5432, via: "bridge" },
};
const trust = { authority: "PEM", serverName: "db.example.org" };
/** What a role's name or a password may hold: any character but NUL. */
const anyText = fc.string({ unit: "binary", minLength: 1 }).filter((text) => !text.includes("\0"));
/** `?`, `#` and `/` are right for libpq, but pg-connection-string does not decode them in a path. */
const databaseName = anyText.filter((text) => !/[?#/]/.test(text) && !/^\.+$/.test(text));

describe("P8 connection information", () => {
  test("P8 without TLS", () => {
    const info = connectionInfo(target, { ...options, showSecrets: true });
    expect(info).toMatchObject({
      host: "172.18.0.2",
      port: 5432,
      database: "shop",
      user: "shop_app",
      password: "s3cret",
      sslmode: "disable",
      url: "postgresql://shop_app:s3cret@172.18.0.2:5432/shop?sslmode=disable",
      keywords: "host=172.18.0.2 port=5432 dbname=shop user=shop_app password=s3cret sslmode=disable",
      jdbcUrl: "jdbc:postgresql://172.18.0.2:5432/shop?user=shop_app&password=s3cret&sslmode=disable",
    });
    expect(info.environment).toEqual({
      PGHOST: "172.18.0.2",
      PGPORT: "5432",
      PGDATABASE: "shop",
      PGUSER: "shop_app",
      PGPASSWORD: "s3cret",
      PGSSLMODE: "disable",
    });
  });

  test("P8 under TLS it verifies in full, by the certificate's name at the server's address", () => {
    const info = connectionInfo(target, { ...options, trust, authorityFile: "/srv/my ca.crt" });
    expect(info).toMatchObject({ host: "db.example.org", hostaddr: "172.18.0.2", sslmode: "verify-full" });
    expect(info.url).toBe(
      "postgresql://shop_app:********@db.example.org:5432/shop".replaceAll("*", "%2A") +
        "?hostaddr=172.18.0.2&sslmode=verify-full&sslrootcert=%2Fsrv%2Fmy%20ca.crt",
    );
    expect(info.keywords).toContain("sslrootcert='/srv/my ca.crt'");
    expect(info.environment).toMatchObject({ PGHOSTADDR: "172.18.0.2", PGSSLROOTCERT: "/srv/my ca.crt" });
  });

  test("P8 a certificate of a public authority needs no file", () => {
    const info = connectionInfo(target, { ...options, trust: { serverName: "db.example.org" } });
    expect(info).toMatchObject({ sslmode: "verify-full", sslrootcert: "system" });
    expect(info.jdbcUrl).toContain("sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory");
    expect(info.jdbcUrl).not.toContain("sslrootcert");
  });

  test("P8 an authority without its file is refused rather than verified less", () => {
    expect(() => connectionInfo(target, { ...options, trust })).toThrow(UserError);
  });

  test("P8 a server behind a tunnel is named as its network knows it", () => {
    const address = { host: "127.0.0.1", port: 1, via: "tunnel" } as const;
    const info = connectionInfo(target, { ...options, address });
    expect(info).toMatchObject({ host: "pgstack-dev", port: 5432 });
    expect(info.hostaddr).toBeUndefined();
    expect(info.reachableFrom).toContain("pgstack psql");
  });

  test("S2 P8 the password shows only when asked for, in no form", () => {
    const masked = connectionInfo(target, options);
    for (const format of ["text", "json", "env"] as const) {
      expect(formatConnectionInfo(masked, format)).not.toContain("s3cret");
      const shown = formatConnectionInfo(connectionInfo(target, { ...options, showSecrets: true }), format);
      expect(shown).toContain("s3cret");
    }
    expect(masked.password).toBe(MASKED_PASSWORD);
    expect(masked.environment).not.toHaveProperty("PGPASSWORD");
  });

  test("P8 an IPv6 address stands in brackets", () => {
    const info = connectionInfo(target, {
      ...options,
      address: { host: "fd00::2", port: 5433, via: "published" },
    });
    expect(info.url).toContain("@[fd00::2]:5433/");
    expect(info.jdbcUrl).toContain("//[fd00::2]:5433/");
  });

  test("P8 JSON is whole and text has one line for each value", () => {
    const info = connectionInfo(target, options);
    expect(JSON.parse(formatConnectionInfo(info, "json"))).toEqual(info);
    expect(formatConnectionInfo(info, "text")).toMatch(/^user +shop_app$/m);
  });
});

describe("F15 P8 any name and password survives encoding", () => {
  test("F15 P8 in the URL, as a driver reads it", async () => {
    const folder = await temporaryFolder();
    const authorityFile = join(folder, "a & b?=%41'.crt");
    writeFileSync(authorityFile, "authority");
    fc.assert(
      fc.property(anyText, anyText, databaseName, (role, password, database) => {
        const credential = { role, password };
        const all = { ...options, credential, trust, authorityFile, showSecrets: true };
        const { url } = connectionInfo({ ...target, database }, all);
        expect(parse(url)).toMatchObject({
          user: role,
          password,
          database,
          host: "db.example.org",
          port: "5432",
          sslrootcert: authorityFile,
          ssl: { ca: "authority" },
        });
      }),
      { numRuns: 500 },
    );
  });

  test("F15 P8 in keywords and values, by libpq's rules", () => {
    fc.assert(
      fc.property(anyText, anyText, (user, password) => {
        expect(parseKeywords(keywordString({ user, password }))).toEqual({ user, password });
      }),
      { numRuns: 500 },
    );
  });

  test("F15 P8 in the shell", () => {
    const values = fc.sample(
      fc.string({ unit: "binary" }).filter((text) => !text.includes("\0")),
      200,
    );
    const hard = [...values, "", "$(id)", "`id`", "a'b", "\n", "\\", '"', "-n", "~", "*"];
    // Each value ends with NUL, which no value holds.
    const script = hard.map((value) => `printf '%s\\0' ${shellWord(value)}`).join("\n");
    const output = execFileSync("sh", ["-s"], { input: script }).toString("utf8");
    expect(output.split("\0").slice(0, -1)).toEqual(hard.map((value) => value.toWellFormed()));
  });
});

/** Libpq's reading of `keyword = value` (conninfo_parse in fe-connect.c), as far as we write it. */
function parseKeywords(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const part = /\s*(\w+)=(?:'((?:[^'\\]|\\[\s\S])*)'|((?:[^\s'\\]|\\[\s\S])*))(?:\s|$)/gy;
  for (const [, keyword = "", quoted, plain = ""] of text.matchAll(part)) {
    found[keyword] = (quoted ?? plain).replaceAll(/\\([\s\S])/g, "$1");
  }
  return found;
}
