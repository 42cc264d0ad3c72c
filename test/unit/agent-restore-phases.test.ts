import { describe, expect, test } from "vitest";
import { restorePhases } from "../../agent/logical/restore-phases.ts";
import { roleNamesOf } from "../../agent/logical/stored-properties.ts";

const OWNERS = {
  roles: ["postgres", "app_admin", "evil postgres", "two\nlines postgres"],
  powerful: new Set(["postgres"]),
  privilegedRoutines: new Set(["501"]),
};

/** Who restores what, in order: `S` the superuser, `L` the limited login. */
function order(...lines: string[]): string[] {
  const { first, creating, finishing } = restorePhases([";", "; a comment", ...lines].join("\n"), OWNERS);
  return [first, creating, finishing].map((phases) =>
    phases.map(({ by, entries }) => `${by === "superuser" ? "S" : "L"} ${entries.join(" ")}`).join(", "),
  );
}

describe("who restores what of a dump [S10]", () => {
  test("schemas and extensions first, then what users have made, grants, what is computed, and the rest", () => {
    expect(
      order(
        "1; 1259 10 TABLE public t app_admin",
        "2; 0 0 COMMENT public TABLE t app_admin",
        "3; 0 0 ACL public TABLE t app_admin",
        "4; 3079 11 EXTENSION - pgcrypto ",
        "5; 2615 12 SCHEMA - sales app_admin",
        "6; 0 13 MATERIALIZED VIEW DATA public v app_admin",
        "7; 3466 14 EVENT TRIGGER - e postgres",
        "8; 6106 15 PUBLICATION TABLE public p t postgres",
        "9; 0 10 TABLE DATA public t app_admin",
        "10; 826 16 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES app_admin",
      ),
    ).toEqual(["S 4 5", "L 1 9", "S 3 10, L 6, S 2 7 8"]);
  });

  test("what the superuser owned is its own, but for rows and values; what only it can make is its own", () => {
    expect(
      order(
        "1; 1259 10 TABLE public t postgres",
        "2; 1255 500 FUNCTION public f() app_admin",
        "3; 1255 501 FUNCTION public c_function() app_admin",
        "4; 0 0 SHELL TYPE public base app_admin",
        "5; 1247 11 TYPE public base app_admin",
        "6; 1247 12 TYPE public other app_admin",
        "7; 0 10 TABLE DATA public t postgres",
        "8; 0 0 SEQUENCE SET public s postgres",
        "9; 2605 13 CAST - CAST (text AS public.base) ",
      ),
    ).toEqual(["", "S 1, L 2, S 3 4 5, L 6 7 8, S 9", ""]);
  });

  test("no name of the administrator's makes something the superuser's", () => {
    // Each was carried out by the superuser with a shorter look at the line.
    expect(
      order(
        "1; 1259 10 TABLE public t evil postgres",
        "2; 1259 11 TABLE public t two lines postgres",
        "3; 1259 12 TABLE public t gone",
        "4; 2604 13 DEFAULT ACL t a app_admin",
        "5; 2604 14 DEFAULT ACL DEFAULT PRIVILEGES FOR TABLES a app_admin",
        "6; 1259 15 TABLE SCHEMA - sales app_admin",
      ),
    ).toEqual(["", "L 1 2 3 4 5 6", ""]);
  });
});

test("of an older dump's roles nothing but names is taken, whatever its comments and names say [S10]", () => {
  const script = `CREATE ROLE administrator;
ALTER ROLE administrator WITH NOSUPERUSER LOGIN;
CREATE ROLE "Odd ""Role\\";
CREATE ROLE "two
GRANT postgres TO administrator; --";
COMMENT ON ROLE administrator IS 'first
CREATE ROLE smuggled; ALTER ROLE administrator SUPERUSER;
CREATE ROLE ${"x".repeat(64)};
CREATE ROLE pg_own;
GRANT postgres TO administrator; COPY (SELECT 1) TO PROGRAM ''id''';
GRANT pg_monitor TO administrator;
`;
  expect(roleNamesOf(script)).toEqual([
    "administrator",
    'Odd "Role\\',
    "two\nGRANT postgres TO administrator; --",
  ]);
});
