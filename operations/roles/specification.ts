import { requirePassword } from "../scram.ts";
import { requireName, shown } from "../sql.ts";
import { SUPERUSER } from "../superuser.ts";
import { UserError } from "../user-error.ts";

/** What a login role of the stack is for. */
export type RoleKind = "administrator" | "application" | "readonly";

/** A login role as it must be. */
export interface RoleSpecification {
  readonly name: string;
  readonly kind: RoleKind;
  readonly password: string;
  /** Sessions at once. Default: -1, no limit of its own. */
  readonly connectionLimit?: number;
}

/** A role's attributes by their names in SQL. */
export type Attributes = Readonly<Record<Attribute, boolean>>;
export type Attribute = (typeof ATTRIBUTES)[number];
export const ATTRIBUTES = [
  "SUPERUSER",
  "INHERIT",
  "CREATEROLE",
  "CREATEDB",
  "LOGIN",
  "REPLICATION",
  "BYPASSRLS",
] as const;

/** What a kind of role has; everything else is taken away. */
export interface Privileges {
  readonly attributes: Attributes;
  /** Predefined roles that it inherits from: https://www.postgresql.org/docs/16/predefined-roles.html */
  readonly memberships: readonly string[];
  /** ALTER ROLE … SET, in all databases. */
  readonly settings: Readonly<Record<string, string>>;
}

const LOGIN_ONLY: Attributes = {
  SUPERUSER: false,
  INHERIT: true,
  CREATEROLE: false,
  CREATEDB: false,
  LOGIN: true,
  REPLICATION: false,
  BYPASSRLS: false,
};

/**
 * The three kinds. The administrator owns the database and migrates it; it is no superuser. None has REPLICATION: with
 * it BASE_BACKUP hands out every file of the cluster, and pg_hba.conf cannot tell `replication=database` from an ordinary
 * connection. What needs the protocol (upgrades) is the superuser, by the socket.
 */
export const PRIVILEGES: Readonly<Record<RoleKind, Privileges>> = {
  administrator: {
    attributes: { ...LOGIN_ONLY, CREATEROLE: true, CREATEDB: true, BYPASSRLS: true },
    memberships: [
      "pg_checkpoint",
      "pg_monitor",
      "pg_read_all_data",
      "pg_signal_backend",
      "pg_write_all_data",
    ],
    settings: {},
  },
  application: { attributes: LOGIN_ONLY, memberships: [], settings: {} },
  readonly: {
    attributes: LOGIN_ONLY,
    memberships: [],
    settings: {
      // Its grants are what keeps it from writing, since a session may change this setting; it makes errors plain.
      default_transaction_read_only: "on",
      // What it reads may need room on the disk to be sorted and joined. Only a superuser's session may change this one.
      temp_file_limit: "4GB",
    },
  },
};

/** @throws UserError naming the first thing that no server would take, or would take as something else. */
export function requireRole(role: RoleSpecification): void {
  requireRoleName(role.name);
  requirePassword(role.password);
  const limit = role.connectionLimit ?? -1;
  if (!Number.isSafeInteger(limit) || limit < -1 || limit > 262_143) {
    throw new UserError(
      `role ${shown(role.name)}: a connection limit is a number from 0 to 262143, or -1 for none, not ${limit}`,
    );
  }
}

/** @throws UserError */
export function requireRoleName(name: string): void {
  requireName(name, "role");
  // The server refuses pg_…, and reads public and none as its own words.
  if (name.startsWith("pg_") || ["public", "none", SUPERUSER].includes(name)) {
    throw new UserError(`role ${shown(name)}: the name is PostgreSQL's own; take another one`);
  }
}
