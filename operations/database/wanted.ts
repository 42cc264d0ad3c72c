import { SUPERUSER } from "../superuser.ts";
import type { Grants } from "./acl.ts";
import type { LiveDefault, LiveObject } from "./inspection.ts";
import {
  type DatabaseSpecification,
  managedSchemas,
  PROBE_TABLE,
  TECHNICAL_SCHEMA,
} from "./specification.ts";

/** What the application has on the objects of a schema; the owner, the administrator, has all. */
const APPLICATION = {
  TABLE: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  SEQUENCE: ["USAGE", "SELECT"],
  ROUTINE: ["EXECUTE"],
  TYPE: ["USAGE"],
} as const;
const READONLY = { TABLE: ["SELECT"], SEQUENCE: ["SELECT"], ROUTINE: ["EXECUTE"], TYPE: ["USAGE"] } as const;

/** Who has what on an object; whatever else anybody has there is to go. */
export function wantedGrants(object: LiveObject, database: DatabaseSpecification): Grants {
  const { administrator, application, readonly } = database;
  const grants = new Map<string | null, readonly string[]>();
  switch (object.kind) {
    case "DATABASE":
      if (object.container === database.name) {
        grants.set(application, ["CONNECT", "TEMPORARY"]).set(readonly, ["CONNECT"]);
      } else {
        // Tools that list or make databases start in one of these.
        grants.set(administrator, ["CONNECT"]);
      }
      break;
    case "SCHEMA":
      grants.set(application, ["USAGE"]).set(readonly, ["USAGE"]);
      break;
    default:
      if (object.container !== TECHNICAL_SCHEMA) {
        grants.set(application, APPLICATION[object.kind]);
        if (!object.withheld) grants.set(readonly, READONLY[object.kind]);
      } else if (object.name === probeTable()) {
        grants.set(application, ["SELECT", "INSERT", "UPDATE"]).set(readonly, ["SELECT"]);
      }
  }
  return grants.set(object.owner, object.ownerPrivileges);
}

/** The owner an object must have; undefined: it may keep the one that it has. */
export function wantedOwner(object: LiveObject, database: DatabaseSpecification): string | undefined {
  switch (object.kind) {
    case "DATABASE":
      return object.container === database.name ? database.administrator : SUPERUSER;
    case "SCHEMA":
      // A role that stands for the database's owner, whoever that is.
      return object.container === "public" ? "pg_database_owner" : database.administrator;
    default:
      // Who owns a table can change it and grant it; neither of these two may.
      return [database.application, database.readonly].includes(object.owner)
        ? database.administrator
        : undefined;
  }
}

/** Default privileges for what the administrator makes later, by schema (null: all) and kind of object. */
export interface WantedDefault {
  readonly schema: string | null;
  readonly objects: LiveDefault["objects"];
  readonly grants: Grants;
}

/** Privileges for later objects, as good as those of {@link wantedGrants}. */
export function wantedDefaults(database: DatabaseSpecification): WantedDefault[] {
  const { administrator, application, readonly } = database;
  // Entries for all schemas replace PostgreSQL's own, which let PUBLIC execute every routine and use every type.
  const everywhere: WantedDefault[] = [
    { schema: null, objects: "f", grants: new Map([[administrator, ["EXECUTE"]]]) },
    { schema: null, objects: "T", grants: new Map([[administrator, ["USAGE"]]]) },
  ];
  const both = (kind: "TABLE" | "SEQUENCE" | "TYPE"): Grants =>
    new Map<string, readonly string[]>([
      [application, APPLICATION[kind]],
      [readonly, READONLY[kind]],
    ]);
  return [
    ...everywhere,
    ...managedSchemas(database).flatMap((schema): WantedDefault[] => [
      { schema, objects: "r", grants: both("TABLE") },
      { schema, objects: "S", grants: both("SEQUENCE") },
      // A later routine may run with its owner's rights, so the read-only role gets routines by the next plan only.
      { schema, objects: "f", grants: new Map([[application, APPLICATION.ROUTINE]]) },
      { schema, objects: "T", grants: both("TYPE") },
    ]),
  ];
}

/** Full name of the health check's table. */
export function probeTable(): string {
  return `${TECHNICAL_SCHEMA}.${PROBE_TABLE}`;
}

/** The object that a missing schema, database or table will be, before any grant. */
export function newObject(
  kind: "DATABASE" | "SCHEMA" | "TABLE",
  name: { container: string; sql: string },
  owner: string,
): LiveObject {
  const ownerPrivileges = {
    DATABASE: ["CREATE", "CONNECT", "TEMPORARY"],
    SCHEMA: ["USAGE", "CREATE"],
    TABLE: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"],
  }[kind];
  return {
    kind,
    container: name.container,
    name: name.sql,
    owner,
    items: [
      ...ownerPrivileges.map((privilege) => [owner, privilege, false, owner] as const),
      ...(kind === "DATABASE" ? (["CONNECT", "TEMPORARY"] as const) : []).map(
        (privilege) => [null, privilege, false, owner] as const,
      ),
    ],
    ownerPrivileges,
    withheld: false,
    linked: false,
  };
}
