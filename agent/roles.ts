import type { Context } from "./context.ts";
import { LIMITED_LOGIN_PREFIX } from "./limited-login.ts";
import { psql, query, quoteIdentifier, quoteLiteral, type Server } from "./sql.ts";

/** A role as the catalogue has it; what is no attribute of SQL's CREATE ROLE is left out. */
export interface Role {
  readonly name: string;
  /** Such as `LOGIN` and `CREATEDB`. */
  readonly attributes: readonly string[];
  readonly connectionLimit: number;
  readonly validUntil: string | null;
  readonly comment: string | null;
  readonly memberships: readonly Membership[];
  /** Never in a backup. */
  readonly verifier?: string | null;
}

interface Membership {
  readonly role: string;
  readonly grantor: string;
  readonly admin: boolean;
  readonly inherit: boolean;
  readonly set: boolean;
}

const ATTRIBUTES = {
  SUPERUSER: "rolsuper",
  INHERIT: "rolinherit",
  CREATEROLE: "rolcreaterole",
  CREATEDB: "rolcreatedb",
  LOGIN: "rolcanlogin",
  REPLICATION: "rolreplication",
  BYPASSRLS: "rolbypassrls",
};

/** The roles of a server, but PostgreSQL's own and the agent's. */
export async function readRoles(
  server: Server,
  { verifiers }: { readonly verifiers: boolean },
  { signal }: Pick<Context, "signal">,
): Promise<Role[]> {
  const attributes = Object.entries(ATTRIBUTES).map(
    ([name, column]) => `CASE WHEN ${column} THEN '${name}' END`,
  );
  return await query<Role>(
    server,
    `SELECT rolname AS name, array_remove(ARRAY[${attributes.join(", ")}], NULL) AS attributes, rolconnlimit AS "connectionLimit",
            rolvaliduntil::text AS "validUntil", shobj_description(r.oid, 'pg_authid') AS comment,
            (SELECT coalesce(json_agg(json_build_object('role', pg_get_userbyid(m.roleid), 'grantor', pg_get_userbyid(m.grantor),
                      'admin', m.admin_option, 'inherit', m.inherit_option, 'set', m.set_option) ORDER BY m.roleid), '[]')
               FROM pg_auth_members m WHERE m.member = r.oid) AS memberships${verifiers ? ", rolpassword AS verifier" : ""}
       FROM ${verifiers ? "pg_authid" : "pg_roles"} r
      WHERE rolname !~ '^pg_' AND NOT starts_with(rolname, ${quoteLiteral(LIMITED_LOGIN_PREFIX)}) ORDER BY 1`,
    { signal },
  );
}

/**
 * Makes roles by their names alone: owners and grantees, who may do nothing else. Those that are there stay as they are.
 */
export async function createPlainRoles(
  server: Server,
  names: readonly string[],
  context: Pick<Context, "signal">,
): Promise<void> {
  const there = new Set((await query<{ name: string }>(server, NAMES, context)).map(({ name }) => name));
  const missing = names.filter((name) => !there.has(name));
  await psql(server, missing.map((name) => `CREATE ROLE ${quoteIdentifier(name)};\n`).join(""), context);
}

/** Makes the roles that are missing, with everything that they had; those that are there stay as they are. */
export async function createRoles(
  server: Server,
  roles: readonly Role[],
  context: Pick<Context, "signal">,
): Promise<void> {
  const there = new Set((await query<{ name: string }>(server, NAMES, context)).map(({ name }) => name));
  const missing = roles.filter(({ name }) => !there.has(name));
  const statements = [...missing.flatMap(creation), ...grants(roles)];
  // Nothing of it in the log: passwords' verifiers are in it.
  await psql(server, `${statements.join("\n")}\n`, { ...context, secret: true });
}

const NAMES = "SELECT rolname AS name FROM pg_roles";

function creation({ name, attributes, connectionLimit, validUntil, comment, verifier }: Role): string[] {
  const role = quoteIdentifier(name);
  const words = Object.keys(ATTRIBUTES).map((word) => (attributes.includes(word) ? word : `NO${word}`));
  const more = [
    `CONNECTION LIMIT ${Math.trunc(connectionLimit)}`,
    ...(validUntil === null ? [] : [`VALID UNTIL ${quoteLiteral(validUntil)}`]),
    ...(verifier == null ? [] : [`PASSWORD ${quoteLiteral(verifier)}`]),
  ];
  return [
    `CREATE ROLE ${role} ${[...words, ...more].join(" ")};`,
    ...(comment === null ? [] : [`COMMENT ON ROLE ${role} IS ${quoteLiteral(comment)};`]),
  ];
}

/** Who grants a role must have it with ADMIN by then. */
function grants(roles: readonly Role[]): string[] {
  let waiting = roles.flatMap(({ name: member, memberships }) =>
    memberships.map((membership) => ({ member, ...membership })),
  );
  const may = new Set(
    roles
      .filter(({ attributes }) => attributes.includes("SUPERUSER"))
      .map(({ name }) => JSON.stringify([name])),
  );
  const statements: string[] = [];
  for (;;) {
    const next = waiting.filter(
      ({ role, grantor }) => may.has(JSON.stringify([grantor])) || may.has(JSON.stringify([grantor, role])),
    );
    if (next.length === 0) return statements;
    waiting = waiting.filter((grant) => !next.includes(grant));
    for (const { role, member, grantor, admin, inherit, set } of next) {
      if (admin) may.add(JSON.stringify([member, role]));
      statements.push(
        `GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(member)} WITH ADMIN ${admin}, INHERIT ${inherit}, SET ${set} GRANTED BY ${quoteIdentifier(grantor)};`,
      );
    }
  }
}
