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

/** What an owner has by itself; an entry of default privileges for all schemas lists it. */
export const OWNER_PRIVILEGES: Readonly<Record<LiveDefault["objects"], readonly string[]>> = {
  r: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"],
  S: ["USAGE", "SELECT", "UPDATE"],
  f: ["EXECUTE"],
  T: ["USAGE"],
  n: ["USAGE", "CREATE"],
};

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
  if (object.adopted) keepPresent(grants, object, database);
  return grants.set(object.owner, object.ownerPrivileges);
}

/** In a schema that is not declared what was granted by hand stays, but for what would let the reader write. */
function keepPresent(
  grants: Map<string | null, readonly string[]>,
  { items, withheld }: LiveObject,
  { application, readonly }: DatabaseSpecification,
): void {
  for (const role of withheld ? [application] : [application, readonly]) {
    const present = items.filter(([grantee]) => grantee === role).map(([, privilege]) => privilege);
    grants.set(role, [...new Set([...(grants.get(role) ?? []), ...present])]);
  }
}

/** The owner an object must have; undefined: it may keep the one that it has. */
export function wantedOwner(object: LiveObject, database: DatabaseSpecification): string | undefined {
  // Only what the administrator owns is adopted.
  if (object.adopted) return undefined;
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
  const both = (kind: "SCHEMA" | "TABLE" | "SEQUENCE" | "TYPE"): Grants =>
    new Map<string, readonly string[]>([
      [application, kind === "SCHEMA" ? ["USAGE"] : APPLICATION[kind]],
      [readonly, kind === "SCHEMA" ? ["USAGE"] : READONLY[kind]],
    ]);
  // Entries for all schemas replace PostgreSQL's own, which let PUBLIC execute every routine and use every type; and they
  // serve the schemas that a migration makes.
  const everywhere = (objects: LiveDefault["objects"], grants: Grants): WantedDefault => ({
    ...{ schema: null, objects },
    grants: new Map([...grants, [administrator, OWNER_PRIVILEGES[objects]]]),
  });
  return [
    everywhere("n", both("SCHEMA")),
    everywhere("r", both("TABLE")),
    everywhere("S", both("SEQUENCE")),
    everywhere("f", new Map([[application, APPLICATION.ROUTINE]])),
    everywhere("T", both("TYPE")),
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
    adopted: false,
  };
}
