import type { Change } from "../change.ts";
import { identifier, shown } from "../sql.ts";
import { aclChanges, type Grants } from "./acl.ts";
import type { AclItem, DatabaseInspection, LiveDefault } from "./inspection.ts";
import { type DatabaseSpecification, managedSchemas, TECHNICAL_SCHEMA } from "./specification.ts";
import { OWNER_PRIVILEGES, wantedDefaults } from "./wanted.ts";

const OBJECTS = { r: "TABLES", S: "SEQUENCES", f: "ROUTINES", T: "TYPES", n: "SCHEMAS" } as const;
/** What PUBLIC has by itself on such objects. */
const PUBLIC_PRIVILEGES: Partial<Record<LiveDefault["objects"], readonly string[]>> = {
  f: ["EXECUTE"],
  T: ["USAGE"],
};

/** Default privileges: exact for what the administrator makes; of others' nothing that gives rights in our schemas. */
export function defaultPrivilegeChanges(live: DatabaseInspection, database: DatabaseSpecification): Change[] {
  const { administrator } = database;
  const schemas: readonly (string | null)[] = [null, ...managedSchemas(database), TECHNICAL_SCHEMA];
  const wanted = wantedDefaults(database);
  const isWanted = (entry: LiveDefault): boolean =>
    entry.role === administrator &&
    wanted.some(({ schema, objects }) => schema === entry.schema && objects === entry.objects);
  return [
    ...wanted.flatMap(({ schema, objects, grants }) => {
      const entry = live.defaults.find(
        (other) => other.role === administrator && other.schema === schema && other.objects === objects,
      );
      const items = entry?.items ?? (schema === null ? builtIn(administrator, objects) : []);
      return changes({ role: administrator, schema, objects, items }, withOwn(grants, administrator, items));
    }),
    ...live.defaults
      .filter((entry) => schemas.includes(entry.schema) && !isWanted(entry))
      .flatMap((entry) =>
        changes(entry, entry.schema === null ? own(entry) : new Map(), restraint(entry, database)),
      ),
  ];
}

/** Later majors know privileges of an owner that are none of ours to take, such as MAINTAIN. */
function withOwn(grants: Grants, owner: string, items: readonly AclItem[]): Grants {
  const wanted = grants.get(owner);
  if (wanted === undefined) return grants;
  const present = items.filter(([grantee]) => grantee === owner).map(([, privilege]) => privilege);
  return new Map([...grants, [owner, [...new Set([...wanted, ...present])]]]);
}

/** Entries of other roles for all schemas may serve schemas that are not ours: only our roles and PUBLIC are looked at. */
function restraint(entry: LiveDefault, { administrator, application, readonly }: DatabaseSpecification) {
  if (entry.schema !== null || entry.role === administrator) return undefined;
  return (grantee: string | null) => grantee === null || [application, readonly].includes(grantee);
}

function own({ role, objects, items }: LiveDefault): Grants {
  // A role may have fewer rights by default on what it makes itself; that is its own affair.
  const kept = items.filter(([grantee]) => grantee === role).map(([, privilege]) => privilege);
  const open = PUBLIC_PRIVILEGES[objects] ?? [];
  const present = items.filter(([grantee]) => grantee === null).map(([, privilege]) => privilege);
  return new Map<string | null, readonly string[]>([
    [role, kept],
    [null, open.filter((privilege) => present.includes(privilege))],
  ]);
}

function builtIn(role: string, objects: LiveDefault["objects"]): AclItem[] {
  return [
    ...OWNER_PRIVILEGES[objects].map((privilege) => [role, privilege, false, role] as const),
    ...(PUBLIC_PRIVILEGES[objects] ?? []).map((privilege) => [null, privilege, false, role] as const),
  ];
}

function changes(entry: LiveDefault, grants: Grants, only?: (grantee: string | null) => boolean): Change[] {
  const place = entry.schema === null ? "" : ` IN SCHEMA ${identifier(entry.schema)}`;
  const where = entry.schema === null ? "" : ` in schema ${shown(entry.schema)}`;
  return aclChanges({
    what: `default privileges of ${shown(entry.role)} for ${OBJECTS[entry.objects].toLowerCase()}${where}`,
    ...(only === undefined ? {} : { only }),
    owner: entry.role,
    items: entry.items,
    wanted: grants,
    statement: (verb, privileges) =>
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(entry.role)}${place} ${verb} ${privileges.join(", ")} ON ${OBJECTS[entry.objects]}`,
  });
}
