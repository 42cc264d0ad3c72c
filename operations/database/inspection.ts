import { literal } from "../sql.ts";
import { psql } from "../superuser.ts";
import type { Target } from "../target.ts";
import { inspectionSql } from "./inspection-sql.ts";
import type { DatabaseSpecification } from "./specification.ts";

/** What holds an access list, by the word of the SQL that names it in GRANT. */
export type ObjectKind = "DATABASE" | "SCHEMA" | "TABLE" | "SEQUENCE" | "ROUTINE" | "TYPE";

/** One entry of an access list: grantee (null: PUBLIC), privilege, with grant option, grantor. */
export type AclItem = readonly [
  grantee: string | null,
  privilege: string,
  grantable: boolean,
  grantor: string,
];

/** An object and who may do what with it. */
export interface LiveObject {
  readonly kind: ObjectKind;
  /** Schema, or for databases and schemas their own name; not quoted. */
  readonly container: string;
  /** Full name as SQL, quoted. */
  readonly name: string;
  readonly owner: string;
  /** Null for an object that is to be made. */
  readonly items: readonly AclItem[];
  /** All that an owner has on such an object. */
  readonly ownerPrivileges: readonly string[];
  /** The read-only role gets nothing on it: a routine with its owner's rights, or one for triggers. */
  readonly withheld: boolean;
  /** A sequence that changes its owner with its table. */
  readonly linked: boolean;
  /** In a schema that the administrator has made: only what our own roles have there is looked at. */
  readonly adopted: boolean;
}

/** Grants on single columns. */
export interface LiveColumn {
  readonly table: string;
  /** Quoted. */
  readonly column: string;
  readonly owner: string;
  readonly items: readonly AclItem[];
}

/** ALTER DEFAULT PRIVILEGES: https://www.postgresql.org/docs/16/catalog-pg-default-acl.html */
export interface LiveDefault {
  readonly role: string;
  /** Null: in every schema; such an entry replaces the built-in default, the others add to it. */
  readonly schema: string | null;
  readonly objects: "r" | "S" | "f" | "T" | "n";
  readonly items: readonly AclItem[];
}

/** A privilege that nobody but the system should have given: on the system's own objects and on parameters. */
export interface StrayGrant {
  readonly kind: "TABLE" | "ROUTINE" | "PARAMETER";
  /** Quoted. */
  readonly name: string;
  /** Quoted; null: the whole object. */
  readonly column: string | null;
  readonly grantee: string | null;
  readonly privilege: string;
}

/** A function of PostgreSQL's own that not everybody may call. */
export interface GuardedFunction {
  /** Quoted, with its arguments. */
  readonly name: string;
  readonly items: readonly AclItem[];
}

/** A database as it is. Of tables, sequences, routines and types only those that differ from the usual are listed. */
export interface DatabaseInspection {
  readonly exists: boolean;
  readonly encoding: string | null;
  readonly missingRoles: readonly string[];
  readonly superuserHasPassword: boolean;
  readonly schemas: readonly string[];
  readonly extensions: readonly string[];
  readonly probeTable: boolean;
  readonly objects: readonly LiveObject[];
  readonly columns: readonly LiveColumn[];
  readonly defaults: readonly LiveDefault[];
  readonly guarded: readonly GuardedFunction[];
  readonly stray: readonly StrayGrant[];
}

/**
 * All that a plan needs, by one execution of psql. Where the database is not there yet, what is found in the database
 * `postgres` stands for it, which is as empty.
 */
export async function inspectDatabase(
  target: Target,
  specification: DatabaseSpecification,
): Promise<DatabaseInspection> {
  const connection = `dbname='${specification.name.replaceAll(/[\\']/g, "\\$&")}'`;
  const exists = `EXISTS (SELECT FROM pg_database WHERE datname = ${literal(specification.name)})`;
  // Connecting to a database that is not there would leave an error in the server's log.
  const script = `SELECT CASE WHEN ${exists} THEN ${literal(connection)} END AS connection \\gset
\\if :{?connection}
\\connect -reuse-previous=on :"connection"
\\endif
${inspectionSql(specification)};
`;
  return JSON.parse(await psql(target, script, {})) as DatabaseInspection;
}
