import type { Change } from "../change.ts";
import { scramVerifier, verifierMatches } from "../scram.ts";
import { identifier, literal, shown } from "../sql.ts";
import { SUPERUSER } from "../superuser.ts";
import type { LiveRole, Membership } from "./inspection.ts";
import { ATTRIBUTES, PRIVILEGES, type RoleSpecification } from "./specification.ts";

/** What makes the live role (undefined: there is none) the one that is wanted, in order. */
export function rolePlan(live: LiveRole | undefined, wanted: RoleSpecification): Change[] {
  const change = changeOf(wanted.name);
  const attributes = PRIVILEGES[wanted.kind].attributes;
  const limit = wanted.connectionLimit ?? -1;
  if (live === undefined) {
    const words = ATTRIBUTES.map((attribute) => attributeSql(attribute, attributes[attribute]));
    const create = change(
      `create it as ${wanted.kind}`,
      (role) =>
        `CREATE ROLE ${role} ${words.join(" ")} CONNECTION LIMIT ${limit} PASSWORD ${literal(scramVerifier(wanted.password))}`,
    );
    return [create, ...membershipChanges([], wanted), ...settingChanges(undefined, wanted)];
  }
  const changes = ATTRIBUTES.filter((attribute) => live.attributes[attribute] !== attributes[attribute]).map(
    (attribute) =>
      change(
        `${attributes[attribute] ? "give" : "take away"} ${attribute}`,
        (role) =>
          `ALTER ROLE ${role} ${attributeSql(attribute, attributes[attribute])}${attribute === "REPLICATION" ? endStreams(wanted.name) : ""}`,
      ),
  );
  if (live.connectionLimit !== limit) {
    changes.push(
      change(
        `connection limit ${live.connectionLimit} to ${limit}`,
        (role) => `ALTER ROLE ${role} CONNECTION LIMIT ${limit}`,
      ),
    );
  }
  if (live.validUntil !== null) {
    changes.push(
      change("take away its end of validity", (role) => `ALTER ROLE ${role} VALID UNTIL 'infinity'`),
    );
  }
  if (!verifierMatches(live.verifier ?? "", wanted.password)) {
    changes.push(
      change(
        "set its password",
        (role) => `ALTER ROLE ${role} PASSWORD ${literal(scramVerifier(wanted.password))}`,
      ),
    );
  }
  return [...changes, ...membershipChanges(live.memberships, wanted), ...settingChanges(live, wanted)];
}

function membershipChanges(live: readonly Membership[], wanted: RoleSpecification): Change[] {
  const change = changeOf(wanted.name);
  const declared = PRIVILEGES[wanted.kind].memberships;
  const isRight = (membership: Membership): boolean =>
    membership.member === wanted.name &&
    declared.includes(membership.role) &&
    membership.grantor === SUPERUSER &&
    membership.inherit &&
    !membership.admin &&
    !membership.set;
  const superfluous = live.filter(
    (membership) => !isRight(membership) && !isOwnMaking(membership, live, wanted),
  );
  const missing = declared.filter(
    (role) => !live.some((membership) => isRight(membership) && membership.role === role),
  );
  return [
    ...superfluous.map(({ role, member, grantor }) =>
      change(
        member === wanted.name
          ? `take away membership in ${shown(role)}`
          : `take it away from its member ${shown(member)}`,
        () =>
          `REVOKE ${identifier(role)} FROM ${identifier(member)} GRANTED BY ${identifier(grantor)} CASCADE`,
      ),
    ),
    ...missing.map((role) =>
      change(
        `make it a member of ${shown(role)}`,
        // It has what the role may do, but can neither become the role nor hand it on.
        (member) => `GRANT ${identifier(role)} TO ${member} WITH ADMIN FALSE, INHERIT TRUE, SET FALSE`,
      ),
    ),
  ];
}

/**
 * Who creates a role with CREATEROLE gets ADMIN on it from PostgreSQL itself, and may then make itself a member
 * (https://www.postgresql.org/docs/16/role-attributes.html). That is the administrator's work, not drift.
 */
function isOwnMaking(
  membership: Membership,
  live: readonly Membership[],
  wanted: RoleSpecification,
): boolean {
  return (
    wanted.kind === "administrator" &&
    membership.member === wanted.name &&
    !membership.role.startsWith("pg_") &&
    !membership.superuser &&
    live.some(
      (other) =>
        other.role === membership.role &&
        other.member === wanted.name &&
        other.grantor === SUPERUSER &&
        other.admin &&
        !other.inherit &&
        !other.set,
    )
  );
}

/** Exact in all databases; in single databases only what would overrule a declared setting or change the role. */
function settingChanges(live: LiveRole | undefined, wanted: RoleSpecification): Change[] {
  const change = changeOf(wanted.name);
  const declared = PRIVILEGES[wanted.kind].settings;
  const changes: Change[] = [];
  const general = new Map<string, string>();
  for (const { database, values } of live?.settings ?? []) {
    for (const [name, value] of values.map(nameAndValue)) {
      if (database === null) {
        general.set(name, value);
        if (name in declared) continue;
        changes.push(change(`reset ${name}`, (role) => `ALTER ROLE ${role} RESET ${parameter(name)}`));
      } else if (name in declared || name === "role") {
        changes.push(
          change(
            `reset ${name} in database ${shown(database)}`,
            (role) => `ALTER ROLE ${role} IN DATABASE ${identifier(database)} RESET ${parameter(name)}`,
          ),
        );
      }
    }
  }
  for (const [name, value] of Object.entries(declared)) {
    if (general.get(name) === value) continue;
    changes.push(
      change(
        `set ${name} to ${value}`,
        (role) => `ALTER ROLE ${role} SET ${parameter(name)} TO ${literal(value)}`,
      ),
    );
  }
  return changes;
}

function nameAndValue(text: string): [string, string] {
  const middle = text.indexOf("=");
  return [text.slice(0, middle), text.slice(middle + 1)];
}

function parameter(name: string): string {
  return name.split(".").map(identifier).join(".");
}

/** The attribute is asked for at sign-in only: what streams already would go on. */
function endStreams(role: string): string {
  return `;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'walsender' AND usename = ${literal(role)}`;
}

function attributeSql(attribute: string, given: boolean): string {
  return given ? attribute : `NO${attribute}`;
}

function changeOf(name: string): (what: string, sql: (role: string) => string) => Change {
  return (what, sql) => ({ description: `role ${shown(name)}: ${what}`, sql: sql(identifier(name)) });
}
