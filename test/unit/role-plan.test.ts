import { describe, expect, test } from "vitest";
import type { DatabaseInspection, LiveColumn } from "../../operations/database/inspection.ts";
import { databasePlan } from "../../operations/database/plan.ts";
import type { LiveRole, Membership } from "../../operations/roles/inspection.ts";
import { rolePlan } from "../../operations/roles/plan.ts";
import { PRIVILEGES, type RoleKind } from "../../operations/roles/specification.ts";
import { scramVerifier } from "../../operations/scram.ts";

const PASSWORD = "secret of the role";

/** What is done to a role that is as it must be but for this. */
function changes(kind: RoleKind, difference: Partial<LiveRole>): string[] {
  const { attributes, memberships, settings } = PRIVILEGES[kind];
  const live: LiveRole = {
    ...{ name: "app", attributes, connectionLimit: -1, verifier: scramVerifier(PASSWORD), validUntil: null },
    memberships: memberships.map((role) => membership({ role })),
    settings: [
      { database: null, values: Object.entries(settings).map(([name, value]) => `${name}=${value}`) },
    ],
    ...difference,
  };
  return rolePlan(live, { kind, name: "app", password: PASSWORD }).map(({ sql }) => sql);
}

function membership(difference: Partial<Membership>): Membership {
  return {
    ...{ role: "pg_monitor", member: "app", grantor: "postgres" },
    ...{ admin: false, inherit: true, set: false, superuser: false },
    ...difference,
  };
}

describe("a membership of the administrator's [S1]", () => {
  const others = PRIVILEGES.administrator.memberships
    .filter((role) => role !== "pg_monitor")
    .map((role) => membership({ role }));

  test("that is as it must be is left alone", () => {
    expect(changes("administrator", {})).toEqual([]);
  });

  test.each([
    ["WITH ADMIN TRUE alone", { admin: true }],
    ["WITH SET TRUE alone", { set: true }],
    ["WITH INHERIT FALSE alone", { inherit: false }],
    ["by another grantor", { grantor: "friend" }],
  ])("%s is taken away and given as it must be", (_what, difference) => {
    const { grantor } = membership(difference);
    expect(changes("administrator", { memberships: [...others, membership(difference)] })).toEqual([
      `REVOKE "pg_monitor" FROM "app" GRANTED BY "${grantor}" CASCADE`,
      `GRANT "pg_monitor" TO "app" WITH ADMIN FALSE, INHERIT TRUE, SET FALSE`,
    ]);
  });

  test("in a role that it has made is its own affair, but not by ADMIN alone of another's grant", () => {
    const made = membership({ role: "made", admin: true, inherit: false });
    const own = membership({ role: "made", grantor: "app", set: true });
    const all = [membership({}), ...others];
    expect(changes("administrator", { memberships: [...all, made, own] })).toEqual([]);
    const forged = { ...made, inherit: true };
    expect(changes("administrator", { memberships: [...all, forged, own] })).toHaveLength(2);
    const superuser = [made, own].map((one) => ({ ...one, superuser: true }));
    expect(changes("administrator", { memberships: [...all, ...superuser] })).toHaveLength(2);
  });
});

describe("a role's settings in one database [S1]", () => {
  const declared = { database: null, values: ["default_transaction_read_only=on", "temp_file_limit=4GB"] };

  test.each([
    ["default_transaction_read_only=off", `"default_transaction_read_only"`],
    ["temp_file_limit=-1", `"temp_file_limit"`],
    ["role=app_admin", `"role"`],
  ])("%s would overrule what is declared, and goes", (value, name) => {
    const settings = [declared, { database: "shop", values: [value, "work_mem=1GB"] }];
    expect(changes("readonly", { settings })).toEqual([`ALTER ROLE "app" IN DATABASE "shop" RESET ${name}`]);
  });

  test("do not stand for what must be so in all databases", () => {
    const settings = [{ ...declared, database: "shop" }];
    expect(changes("readonly", { settings })).toEqual([
      `ALTER ROLE "app" IN DATABASE "shop" RESET "default_transaction_read_only"`,
      `ALTER ROLE "app" IN DATABASE "shop" RESET "temp_file_limit"`,
      `ALTER ROLE "app" SET "default_transaction_read_only" TO 'on'`,
      `ALTER ROLE "app" SET "temp_file_limit" TO '4GB'`,
    ]);
  });
});

describe("a grant on a column [S1]", () => {
  function columnChanges(items: LiveColumn["items"]): string[] {
    const live: DatabaseInspection = {
      ...{ exists: true, encoding: "UTF8", missingRoles: [], superuserHasPassword: false, probeTable: true },
      ...{
        schemas: ["public", "pgstack"],
        extensions: [],
        objects: [],
        defaults: [],
        guarded: [],
        stray: [],
      },
      columns: [{ table: "public.t", column: "note", owner: "app_admin", items }],
    };
    const specification = {
      ...{ name: "app", administrator: "app_admin", application: "app_rw", readonly: "app_ro" },
      ...{ schemas: [], extensions: [] },
    };
    return databasePlan(live, specification)
      .map(({ sql }) => sql)
      .filter((sql) => sql.includes("public.t"));
  }

  test("by the owner is revoked", () => {
    expect(columnChanges([["app_ro", "UPDATE", false, "app_admin"]])).toEqual([
      `REVOKE UPDATE (note) ON TABLE public.t FROM "app_ro" CASCADE`,
    ]);
  });

  test("by another grantor, which the owner's REVOKE does not reach, goes with that one's own", () => {
    expect(
      columnChanges([
        ["app_ro", "UPDATE", false, "friend"],
        ["stranger", "UPDATE", false, "friend"],
        ["app_ro", "SELECT", false, "other"],
      ]),
    ).toEqual(
      [
        ["UPDATE", "friend"],
        ["SELECT", "other"],
      ].map(
        ([privilege, grantor]) =>
          `GRANT ${privilege} (note) ON TABLE public.t TO "${grantor}" WITH GRANT OPTION;\nREVOKE ${privilege} (note) ON TABLE public.t FROM "${grantor}" CASCADE`,
      ),
    );
  });
});
