import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DEFAULT_PARAMETERS,
  needsRestart,
  OWNED_PARAMETERS,
  type ParameterValue,
  renderPostgresqlConf,
} from "../../operations/postgresql-conf.ts";
import { parsePostgresqlConf } from "../support/postgresql-conf-parser.ts";

const render = (parameters: Record<string, ParameterValue>, tls = false): Map<string, string> =>
  parsePostgresqlConf(renderPostgresqlConf(parameters, { tls }));

describe("P6 server defaults", () => {
  const expected: [string, string][] = [
    ["listen_addresses", "*"],
    ["port", "5432"],
    ["max_connections", "100"],
    ["superuser_reserved_connections", "3"],
    ["shared_buffers", "256MB"],
    ["effective_cache_size", "1GB"],
    ["work_mem", "4MB"],
    ["maintenance_work_mem", "64MB"],
    ["wal_level", "replica"],
    ["max_wal_size", "1GB"],
    ["min_wal_size", "80MB"],
    ["random_page_cost", "1.1"],
    ["effective_io_concurrency", "200"],
    ["log_rotation_age", "1d"],
    ["log_rotation_size", "100MB"],
    ["log_line_prefix", "%t [%p] %u@%d "],
    ["log_statement", "mod"],
    ["shared_preload_libraries", "pg_stat_statements"],
    ["pg_stat_statements.track", "all"],
    ["lc_messages", "C"],
    ["lc_monetary", "C"],
    ["lc_numeric", "C"],
    ["lc_time", "C"],
    ["log_file_mode", "0600"],
    ["password_encryption", "scram-sha-256"],
    ["log_connections", "on"],
  ];
  test.each(expected)("P6 %s is %s", (name, value) => {
    expect(render({}).get(name)).toBe(value);
  });

  test("P6 a given value replaces the default and appears once", () => {
    const text = renderPostgresqlConf({ work_mem: "16MB", jit: false, Max_Connections: 40 }, { tls: false });
    expect(text.match(/^work_mem/gm)).toHaveLength(1);
    expect(text.match(/^max_connections/gm)).toHaveLength(1);
    const parsed = parsePostgresqlConf(text);
    expect(parsed.get("work_mem")).toBe("16MB");
    expect(parsed.get("jit")).toBe("off");
    expect(parsed.get("max_connections")).toBe("40");
  });

  test("P6 the user's libraries are loaded beside those of the stack, each once", () => {
    const parsed = render({ shared_preload_libraries: "auto_explain, pg_stat_statements" });
    expect(parsed.get("shared_preload_libraries")).toBe("pg_stat_statements,auto_explain");
  });

  test("P3 the order of the settings does not change the file", () => {
    const one = renderPostgresqlConf({ jit: true, deadlock_timeout: "2s" }, { tls: true });
    expect(renderPostgresqlConf({ deadlock_timeout: "2s", jit: true }, { tls: true })).toBe(one);
  });

  test("S5 TLS is 1.2 or newer, and may only be raised", () => {
    expect(render({}, true).get("ssl_min_protocol_version")).toBe("TLSv1.2");
    expect(render({ ssl_min_protocol_version: "TLSv1.3" }, true).get("ssl_min_protocol_version")).toBe(
      "TLSv1.3",
    );
    expect(render({}, true).get("ssl_key_file")).toBe("/etc/pgstack/tls/server.key");
    expect(render({}).get("ssl")).toBe("off");
    expect(() => render({ ssl_min_protocol_version: "TLSv1" })).toThrow(
      "serverSettings.ssl_min_protocol_version must be one of TLSv1.2, TLSv1.3",
    );
  });
});

describe("F15 setting values", () => {
  test.each([...OWNED_PARAMETERS.keys()])("P5 %s is refused as a user's setting", (name) => {
    expect(() => render({ [name]: "x" })).toThrow(
      /^serverSettings\.\w+ is set by the stack itself \(.+\): remove it$/,
    );
    expect(() => render({ [name.toUpperCase()]: "x" })).toThrow(/is set by the stack itself/);
  });

  const wrongNames = [
    "",
    "1a",
    "work mem",
    "work-mem",
    "a.b.c",
    ".a",
    "a.",
    "a=b",
    "a\nb",
    "a'b",
    "a;b",
    "$(a)",
    "ä",
    "a".repeat(64),
  ];
  test.each(wrongNames)("F15 the name %j is refused on one line", (name) => {
    const attempt = (): unknown => render({ [name]: 1 });
    expect(attempt).toThrow(/is not a PostgreSQL parameter/);
    expect(attempt).not.toThrow(/\n/);
  });

  test.each([
    ["a line break", "a\nport = 1", /line break/],
    ["a carriage return", "a\rb", /line break/],
    ["NUL", "a\0b", /line break or another control character/],
    ["10 MB", "x".repeat(10 * 1_024 * 1_024), /is 10485760 characters long; at most 8192 are allowed/],
    ["half a character", "a\ud800", /is not valid Unicode/],
    ["no number", Number.NaN, /is not a number/],
    ["infinity", Number.POSITIVE_INFINITY, /is not a number/],
  ])("F15 a value with %s is refused", (_what, value, message) => {
    expect(() => render({ search_path: value })).toThrow(message);
  });

  test("F15 any other text arrives unchanged as the one value, and changes no other parameter", () => {
    const before = render({});
    const value = fc.string({ unit: "grapheme", maxLength: 200 }).filter((text) => !/\p{Cc}/u.test(text));
    const nasty = fc.constantFrom(
      "'",
      "''",
      "\\",
      "\\'",
      "';",
      "$(reboot)",
      "`id`",
      "#",
      "' #",
      "= '",
      "\\x27",
      "%",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(value, nasty), { maxLength: 5 }), (parts) => {
        const text = parts.join("");
        const parsed = render({ "pgstack.probe": text });
        expect(parsed.get("pgstack.probe")).toBe(text);
        parsed.delete("pgstack.probe");
        expect(parsed).toEqual(before);
      }),
    );
  });
});

test("P6 no default is also a parameter that the stack owns", () => {
  const names = DEFAULT_PARAMETERS.flatMap((group) => group.parameters.map((one) => one.name));
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => OWNED_PARAMETERS.has(name))).toEqual([]);
});

test("P5 what needs a restart is known", () => {
  expect(needsRestart("shared_buffers")).toBe(true);
  expect(needsRestart("io_method")).toBe(true);
  expect(needsRestart("work_mem")).toBe(false);
});
