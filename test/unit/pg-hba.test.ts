import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PgHbaOptions, renderPgHba } from "../../operations/pg-hba.ts";
import { type HbaAttempt, methodFor, parsePgHba } from "../support/pg-hba-parser.ts";

const base: PgHbaOptions = {
  database: "app",
  administrator: "app_admin",
  application: "app_rw",
  readonly: "app_ro",
  tls: true,
};
const rules = (options: Partial<PgHbaOptions> = {}) => parsePgHba(renderPgHba({ ...base, ...options }));
const tcp = { tcp: true, tls: true };
const plain = { tcp: true, tls: false };
const socket = { tcp: false, tls: false };

describe("S6 who may sign in how", () => {
  const table: [string, HbaAttempt, string][] = [
    ["the superuser by the socket", { ...socket, user: "postgres", database: "postgres" }, "peer"],
    ["the superuser over TLS", { ...tcp, user: "postgres", database: "postgres" }, "reject"],
    ["the superuser over plain TCP", { ...plain, user: "postgres", database: "app" }, "reject"],
    [
      "the administrator over TLS to any database",
      { ...tcp, user: "app_admin", database: "other" },
      "scram-sha-256",
    ],
    ["the administrator over plain TCP", { ...plain, user: "app_admin", database: "app" }, "reject"],
    [
      "the application over TLS to its database",
      { ...tcp, user: "app_rw", database: "app" },
      "scram-sha-256",
    ],
    ["the application to another database", { ...tcp, user: "app_rw", database: "postgres" }, "reject"],
    ["the read-only role to its database", { ...tcp, user: "app_ro", database: "app" }, "scram-sha-256"],
    ["the read-only role to another database", { ...tcp, user: "app_ro", database: "template1" }, "reject"],
    ["an unknown role", { ...tcp, user: "somebody", database: "app" }, "reject"],
    ["an unknown role by the socket", { ...socket, user: "somebody", database: "app" }, "reject"],
    ["the application by the socket", { ...socket, user: "app_rw", database: "app" }, "scram-sha-256"],
    [
      "the agent's limited login by the socket",
      { ...socket, user: "pgstack_limited_0123456789abcdef", database: "other" },
      "scram-sha-256",
    ],
    [
      "the agent's limited login over TLS",
      { ...tcp, user: "pgstack_limited_0123456789abcdef", database: "app" },
      "reject",
    ],
    [
      "replication by the administrator",
      { ...tcp, user: "app_admin", database: "", replication: true },
      "reject",
    ],
    [
      "replication by the superuser over TLS",
      { ...tcp, user: "postgres", database: "", replication: true },
      "reject",
    ],
    [
      "replication by the socket",
      { ...socket, user: "app_admin", database: "", replication: true },
      "reject",
    ],
  ];
  test.each(table)("S6 %s", (_what, attempt, method) => {
    expect(methodFor(rules(), attempt)).toBe(method);
  });

  test("S6 without TLS the roles come over plain TCP, and by password all the same", () => {
    const open = rules({ tls: false });
    expect(methodFor(open, { ...plain, user: "app_rw", database: "app" })).toBe("scram-sha-256");
    expect(methodFor(open, { ...plain, user: "postgres", database: "app" })).toBe("reject");
    expect(open.map((rule) => rule.type)).not.toContain("hostssl");
  });

  test("physical replication is refused before any other line [S10]", () => {
    expect(rules().slice(0, 2)).toMatchObject([
      { type: "local", database: { text: "replication", quoted: false }, method: "reject" },
      { type: "host", database: { text: "replication", quoted: false }, method: "reject" },
    ]);
  });

  test("S6 only the named networks and the loopback are let in", () => {
    const granted = rules({ clientAddresses: ["10.1.0.0/16", "fd00::/8"] }).filter(
      (rule) => rule.method === "scram-sha-256" && rule.type !== "local",
    );
    expect(new Set(granted.map((rule) => rule.address))).toEqual(
      new Set(["127.0.0.1/32", "::1/128", "10.1.0.0/16", "fd00::/8"]),
    );
  });
});

describe("F15 names and networks in pg_hba.conf", () => {
  test("S6 whatever the names, no line trusts, and TCP is by SCRAM or refused", () => {
    const name = fc
      .oneof(
        fc.string({ minLength: 1, maxLength: 15 }),
        fc.constantFrom(
          "all",
          "replication",
          "+group",
          "@file",
          'a"b',
          '"',
          '""',
          "#x",
          "a b",
          "a,b",
          "samerole",
          "\\",
        ),
      )
      .filter((text) => !/\p{Cc}/u.test(text) && !text.startsWith("/") && text !== "postgres");
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 4, maxLength: 4 }), fc.boolean(), (names, tls) => {
        const [database = "", administrator = "", application = "", readonly = ""] = names;
        const parsed = rules({ database, administrator, application, readonly, tls });
        for (const rule of parsed) {
          const allowed =
            rule.type === "local" ? ["peer", "scram-sha-256", "reject"] : ["scram-sha-256", "reject"];
          expect(allowed).toContain(rule.method);
          if (rule.method === "scram-sha-256") expect(rule.user.quoted).toBe(true);
        }
        expect(methodFor(parsed, { tcp: true, tls, user: application, database })).toBe("scram-sha-256");
        expect(methodFor(parsed, { tcp: true, tls, user: application, database: "another one" })).toBe(
          "reject",
        );
        expect(methodFor(parsed, { tcp: true, tls, user: "another one", database })).toBe("reject");
      }),
    );
  });

  test.each(["", "a\nb", "a\0", "x".repeat(64), "ü".repeat(32), "/regex", "\ud800"])(
    "F15 the name %j is refused",
    (name) => {
      expect(() => rules({ application: name })).toThrow(/^application must/);
    },
  );

  test("S6 the superuser's name is no role's name", () => {
    expect(() => rules({ administrator: "postgres" })).toThrow("administrator must not be postgres");
  });

  const wrong = [
    "",
    "10.0.0.0",
    "10.0.0.0/33",
    "fd00::/129",
    "all",
    "0.0.0.0/0 trust",
    "10.0.0.0/8\nhost",
    "1.2.3/8",
    "fe80::1%eth0/64",
    "10.0.0.0/-1",
    "10.0.0.0/8/9",
  ];
  test.each(wrong)("F15 the network %j is refused", (network) => {
    expect(() => rules({ clientAddresses: [network] })).toThrow(/^clientAddresses: ".*" is not a network/);
  });
});
