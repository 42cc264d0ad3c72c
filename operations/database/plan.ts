import type { Change } from "../change.ts";
import { identifier, literal, shown } from "../sql.ts";
import { SUPERUSER } from "../superuser.ts";
import { UserError } from "../user-error.ts";
import { aclChanges } from "./acl.ts";
import { defaultPrivilegeChanges } from "./default-privileges.ts";
import { guardedFunctionChanges } from "./guarded-functions.ts";
import type { AclItem, DatabaseInspection, LiveColumn, LiveObject, StrayGrant } from "./inspection.ts";
import { type DatabaseSpecification, managedSchemas, TECHNICAL_SCHEMA } from "./specification.ts";
import { newObject, probeTable, wantedGrants, wantedOwner } from "./wanted.ts";

/** Roles that a database's grants are for are not there. */
export class RolesMissing extends Error {
  override readonly name = "RolesMissing";
}

/** The statement that makes a missing database; it can't be part of a transaction. */
export function createDatabase(database: DatabaseSpecification): Change {
  return {
    description: `create database ${shown(database.name)}`,
    sql: `CREATE DATABASE ${identifier(database.name)} ${databaseOptions(database)}`,
  };
}

/** Options of CREATE DATABASE. template1 may hold what somebody put there; template0 is as PostgreSQL made it. */
export function databaseOptions({ administrator }: Pick<DatabaseSpecification, "administrator">): string {
  return `OWNER ${identifier(administrator)} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'`;
}

/**
 * What makes the live database the one that is wanted, in order, without {@link createDatabase}.
 *
 * @throws UserError when it can't be: another encoding.
 * @throws RolesMissing, since roles come first.
 */
export function databasePlan(live: DatabaseInspection, database: DatabaseSpecification): Change[] {
  if (live.missingRoles.length > 0) {
    throw new RolesMissing(
      `database ${shown(database.name)}: there is no role ${live.missingRoles.map(shown).join(", ")}`,
    );
  }
  if (live.encoding !== null && live.encoding !== "UTF8") {
    throw new UserError(
      `database ${shown(database.name)} exists with encoding ${live.encoding}: UTF8 is needed`,
    );
  }
  const made = missingObjects(live, database);
  const objects = [...live.objects, ...made.map(({ object }) => object)];
  const owners = objects.map((object) => withOwner(object, database));
  return [
    ...(live.superuserHasPassword ? [lockedSuperuser()] : []),
    ...made.flatMap(({ change }) => change),
    ...missingExtensions(live, database),
    ...owners.flatMap(({ change }) => change),
    ...defaultPrivilegeChanges(live, database),
    ...owners.flatMap(({ object }) => objectChanges(object, database)),
    ...live.columns.flatMap((column) => columnChanges(columnWithOwner(column, database))),
    ...live.guarded.flatMap((guarded) => guardedFunctionChanges(guarded, database)),
    ...live.stray.map(strayChange),
  ];
}

/** Takes the bootstrap superuser's password away: it signs in by the local socket only, as the system's user. */
export function lockedSuperuser(): Change {
  return {
    description: "take away the bootstrap superuser's password",
    sql: `ALTER ROLE ${identifier(SUPERUSER)} PASSWORD NULL`,
  };
}

function missingObjects(
  live: DatabaseInspection,
  database: DatabaseSpecification,
): { object: LiveObject; change: Change[] }[] {
  const { administrator } = database;
  const owner = identifier(administrator);
  const made: { object: LiveObject; change: Change[] }[] = [];
  if (!live.exists) {
    const name = { container: database.name, sql: identifier(database.name) };
    // Made by a statement of its own before; here are its grants.
    made.push({ object: newObject("DATABASE", name, administrator), change: [] });
  }
  for (const schema of [...managedSchemas(database), TECHNICAL_SCHEMA]) {
    if (live.schemas.includes(schema)) continue;
    const of = schema === "public" ? "pg_database_owner" : administrator;
    const sql = `CREATE SCHEMA ${identifier(schema)} AUTHORIZATION ${identifier(of)}`;
    made.push({
      object: newObject("SCHEMA", { container: schema, sql: identifier(schema) }, of),
      change: [{ description: `create schema ${shown(schema)}`, sql }],
    });
  }
  if (!live.probeTable) {
    made.push({
      object: newObject("TABLE", { container: TECHNICAL_SCHEMA, sql: probeTable() }, administrator),
      change: [
        {
          description: `create table ${probeTable()}`,
          sql: `CREATE TABLE ${probeTable()} (role text PRIMARY KEY, at timestamptz NOT NULL);
ALTER TABLE ${probeTable()} OWNER TO ${owner};
COMMENT ON TABLE ${probeTable()} IS ${literal("The write probe of the health check: one row a role")}`,
        },
      ],
    });
  }
  return made;
}

function missingExtensions(live: DatabaseInspection, database: DatabaseSpecification): Change[] {
  return [...new Set(database.extensions)]
    .filter((extension) => !live.extensions.includes(extension))
    .map((extension) => ({
      description: `create extension ${extension}`,
      // Its schema by the search path and not by name, since some extensions have a fixed one of their own.
      sql: `SET LOCAL search_path TO public;
CREATE EXTENSION IF NOT EXISTS ${identifier(extension)} CASCADE;
SET LOCAL search_path TO pg_catalog`,
    }));
}

/** The object with the owner that it must have, and with what a change of owner does to its access list. */
function withOwner(
  object: LiveObject,
  database: DatabaseSpecification,
): { object: LiveObject; change: Change[] } {
  const owner = wantedOwner(object, database);
  if (owner === undefined || owner === object.owner) return { object, change: [] };
  const items = withReplaced(object.items, object.owner, owner);
  const change: Change = {
    description: `${describe(object)}: owner ${shown(object.owner)} to ${shown(owner)}`,
    sql: `ALTER ${object.kind} ${object.name} OWNER TO ${identifier(owner)}`,
  };
  return { object: { ...object, owner, items }, change: object.linked ? [] : [change] };
}

/** The column with the owner that its table gets. */
function columnWithOwner(
  column: LiveColumn,
  { administrator, application, readonly }: DatabaseSpecification,
): LiveColumn {
  const { owner } = column;
  return [application, readonly].includes(owner)
    ? { ...column, owner: administrator, items: withReplaced(column.items, owner, administrator) }
    : column;
}

/** What PostgreSQL makes of an access list when the owner changes. */
function withReplaced(items: readonly AclItem[], before: string, after: string): AclItem[] {
  return items.map(([grantee, privilege, grantable, grantor]) => [
    grantee === before ? after : grantee,
    privilege,
    grantable,
    grantor === before ? after : grantor,
  ]);
}

function objectChanges(object: LiveObject, database: DatabaseSpecification): Change[] {
  const { application, readonly } = database;
  return aclChanges({
    what: describe(object),
    ...(object.adopted
      ? { only: (grantee: string | null) => grantee !== null && [application, readonly].includes(grantee) }
      : {}),
    owner: object.owner,
    items: object.items,
    wanted: wantedGrants(object, database),
    statement: (verb, privileges) => `${verb} ${privileges.join(", ")} ON ${object.kind} ${object.name}`,
  });
}

/**
 * Grants on columns go; those on the table say all. Who had the table with grant option may have granted columns, and
 * neither the owner nor the loss of that option reaches these: the column is given to that role once more with grant
 * option, and taken from it with all that follows from it.
 */
function columnChanges({ table, column, owner, items }: LiveColumn): Change[] {
  const others = new Map(
    items.filter((item) => item[3] !== owner).map((item) => [`${item[3]} ${item[1]}`, item]),
  );
  const indirect = [...others.values()].map(([, privilege, , grantor]): Change => {
    const what = `${privilege} (${column}) ON TABLE ${table}`;
    const role = identifier(grantor);
    return {
      description: oneLine(`column ${table}.${column}: revoke what ${role} granted of ${privilege}`),
      sql: `GRANT ${what} TO ${role} WITH GRANT OPTION;\nREVOKE ${what} FROM ${role} CASCADE`,
    };
  });
  const direct = aclChanges({
    what: `column ${table}.${column}`,
    owner,
    items,
    wanted: new Map(),
    statement: (verb, privileges) =>
      `${verb} ${privileges.map((privilege) => `${privilege} (${column})`).join(", ")} ON TABLE ${table}`,
  });
  return [...indirect, ...direct];
}

function strayChange({ kind, name, column, grantee, privilege }: StrayGrant): Change {
  const who = grantee === null ? "PUBLIC" : identifier(grantee);
  const what = column === null ? privilege : `${privilege} (${column})`;
  return {
    description: oneLine(`${kind.toLowerCase()} ${name}: revoke ${what} from ${who}`),
    sql: `REVOKE ${what} ON ${kind} ${name} FROM ${who} CASCADE`,
  };
}

function describe(object: LiveObject): string {
  return oneLine(`${object.kind.toLowerCase()} ${object.name}`);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
