import { requireRoleName } from "../roles/specification.ts";
import { requireName, shown } from "../sql.ts";
import { UserError } from "../user-error.ts";

/** A database as it must be. */
export interface DatabaseSpecification {
  readonly name: string;
  /** Role that owns the database and what is in it. */
  readonly administrator: string;
  /** Role that reads and writes. */
  readonly application: string;
  /** Role that reads. */
  readonly readonly: string;
  /** Schemas; `public` is always among them. */
  readonly schemas: readonly string[];
  readonly extensions: readonly string[];
}

/** Schema of what the stack itself keeps in the database. */
export const TECHNICAL_SCHEMA = "pgstack";
/** Table of {@link TECHNICAL_SCHEMA} that the health check's write probe writes to. */
export const PROBE_TABLE = "health_probe";
/** Databases that every cluster has and applications have no business in. */
export const MAINTENANCE_DATABASES: readonly string[] = ["postgres", "template1"];

/** The schemas whose objects and grants are kept as declared, without the technical one. */
export function managedSchemas(database: DatabaseSpecification): string[] {
  return [...new Set(["public", ...database.schemas])];
}

/** @throws UserError naming the first thing that no server would take, or would take as something else. */
export function requireDatabase(database: DatabaseSpecification): void {
  requireName(database.name, "database");
  if (["postgres", "template0", "template1"].includes(database.name)) {
    throw new UserError(`database ${shown(database.name)}: the name is PostgreSQL's own; take another one`);
  }
  const roles = [database.administrator, database.application, database.readonly];
  for (const role of roles) requireRoleName(role);
  if (new Set(roles).size < roles.length) {
    throw new UserError("administrator, application and readonly: three roles need three different names");
  }
  for (const schema of database.schemas) {
    requireName(schema, "schema");
    if (schema.startsWith("pg_") || ["information_schema", TECHNICAL_SCHEMA].includes(schema)) {
      throw new UserError(`schema ${shown(schema)}: the name is taken already; take another one`);
    }
  }
  for (const extension of database.extensions) {
    requireName(extension, "extension");
    // The name becomes part of a file's name on the server.
    if (!/^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(extension)) {
      throw new UserError(`extension ${shown(extension)}: a name has letters, digits, "_" and "-"`);
    }
  }
}
