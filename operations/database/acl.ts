import type { Change } from "../change.ts";
import { identifier } from "../sql.ts";
import type { AclItem } from "./inspection.ts";

/** Privileges by grantee; null is PUBLIC. Who is not named has none. */
export type Grants = ReadonlyMap<string | null, readonly string[]>;

/** An access list and what it must be. */
export interface AclDifference {
  /** For descriptions: `table public.t`. */
  readonly what: string;
  /** Whose entries are looked at; every grantee when undefined. */
  readonly only?: (grantee: string | null) => boolean;
  readonly owner: string;
  readonly items: readonly AclItem[];
  readonly wanted: Grants;
  /** The statement around the words: GRANT or REVOKE, privileges, TO or FROM, grantee. */
  readonly statement: (
    verb: "GRANT" | "REVOKE" | "REVOKE GRANT OPTION FOR",
    privileges: readonly string[],
  ) => string;
}

/**
 * GRANT and REVOKE that turn an access list into what is wanted, nothing when it is that already.
 *
 * Grant options are taken first, and with them what others granted by them: a superuser's REVOKE speaks as the owner
 * and does not reach those directly.
 */
export function aclChanges(difference: AclDifference): Change[] {
  const { items, owner, wanted } = difference;
  const grantees = [...new Set([...items.map(([grantee]) => grantee), ...wanted.keys()])].filter(
    (grantee) => difference.only?.(grantee) ?? true,
  );
  const direct = (grantee: string | null): AclItem[] =>
    items.filter((entry) => entry[0] === grantee && entry[3] === owner);
  const options = grantees
    .filter((grantee) => grantee !== owner)
    .map((grantee) => ({
      grantee,
      privileges: direct(grantee)
        .filter(([, , grantable]) => grantable)
        .map(privilegeOf),
    }))
    .map(({ grantee, privileges }) => change(difference, "REVOKE GRANT OPTION FOR", privileges, grantee));
  const superfluous = grantees.map((grantee) => {
    const kept = wanted.get(grantee) ?? [];
    return change(difference, "REVOKE", without(direct(grantee).map(privilegeOf), kept), grantee);
  });
  const missing = grantees.map((grantee) =>
    change(
      difference,
      "GRANT",
      without(wanted.get(grantee) ?? [], direct(grantee).map(privilegeOf)),
      grantee,
    ),
  );
  return [...options, ...superfluous, ...missing].flat();
}

function change(
  { what, statement }: AclDifference,
  verb: "GRANT" | "REVOKE" | "REVOKE GRANT OPTION FOR",
  privileges: readonly string[],
  grantee: string | null,
): Change[] {
  if (privileges.length === 0) return [];
  const name = grantee === null ? "PUBLIC" : identifier(grantee);
  const words = [...new Set(privileges)].sort().join(", ");
  const action = {
    GRANT: "grant",
    REVOKE: "revoke",
    "REVOKE GRANT OPTION FOR": "revoke the grant option for",
  }[verb];
  const granting = verb === "GRANT";
  return [
    {
      description: `${what}: ${action} ${words} ${granting ? "to" : "from"} ${name}`.replaceAll(/\s+/g, " "),
      sql: `${statement(verb, [...new Set(privileges)])} ${granting ? `TO ${name}` : `FROM ${name} CASCADE`}`,
    },
  ];
}

function privilegeOf([, privilege]: AclItem): string {
  return privilege;
}

function without(all: readonly string[], taken: readonly string[]): string[] {
  return all.filter((privilege) => !taken.includes(privilege));
}
