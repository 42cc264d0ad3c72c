import type { Context } from "../context.ts";
import { parameterAssignment } from "../parameter-value.ts";
import { output } from "../program.ts";
import { clientEnvironment, psql, query, quoteIdentifier, quoteLiteral } from "../sql.ts";
import type { Pair } from "./link.ts";

/**
 * Brings the roles that the new server does not have, with their attributes, passwords and memberships; those that it has
 * are the stack's own and stay as they are.
 */
export async function copyRoles(pair: Pair, context: Pick<Context, "signal">): Promise<void> {
  const there = await query<{ name: string }>(pair.new, "SELECT rolname AS name FROM pg_roles", context);
  const known = new Set(there.map(({ name }) => quoteIdentifier(name)));
  const environment = clientEnvironment(pair.old);
  const script = await output("pg_dumpall", ["--roles-only", "--no-password", "--quote-all-identifiers"], {
    environment,
    signal: context.signal,
  });
  const name = '("(?:[^"]|"")+")';
  const statements = script.split("\n").filter((line) => {
    const role = new RegExp(`^(?:CREATE|ALTER) ROLE ${name}`).exec(line)?.[1];
    return role === undefined ? line.startsWith("GRANT ") : !known.has(role);
  });
  if (statements.length > 0) await psql(pair.new, `${statements.join("\n")}\n`, context);
}

/** Brings the settings of the database, and of roles in it and everywhere. */
export async function copyRoleSettings(pair: Pair, context: Pick<Context, "signal">): Promise<void> {
  const { database } = pair;
  const rows = await query<{ database: string | null; role: string | null; setting: string }>(
    pair.old,
    `SELECT d.datname AS database, r.rolname AS role, unnest(s.setconfig) AS setting
       FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
      WHERE s.setdatabase = 0 OR d.datname = ${quoteLiteral(database)}`,
    context,
  );
  const statements = rows.map(({ database: where, role, setting }) => {
    const [parameter = "", ...rest] = setting.split("=");
    const whose =
      role === null
        ? `DATABASE ${quoteIdentifier(where ?? database)}`
        : `ROLE ${quoteIdentifier(role)}${where === null ? "" : ` IN DATABASE ${quoteIdentifier(where)}`}`;
    return `ALTER ${whose} SET ${parameterAssignment(parameter, rest.join("="))};`;
  });
  if (statements.length > 0) await psql(pair.new, statements.join("\n"), context);
}
