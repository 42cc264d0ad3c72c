import type { Context } from "../context.ts";
import { parameterAssignment } from "../parameter-value.ts";
import { createRoles, readRoles } from "../roles.ts";
import { psql, query, quoteIdentifier, quoteLiteral } from "../sql.ts";
import type { Pair } from "./link.ts";

/**
 * Brings the roles that the new server does not have, with their attributes, passwords and memberships; those that it has
 * are the stack's own and stay as they are.
 */
export async function copyRoles(pair: Pair, context: Pick<Context, "signal">): Promise<void> {
  await createRoles(pair.new, await readRoles(pair.old, { verifiers: true }, context), context);
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
