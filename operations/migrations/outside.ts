import { identifier, literal, type Sql } from "../sql.ts";
import { type Fields, inner, type Statement } from "./statements.ts";

/** A table, index or the like as a statement names it. */
export interface Name {
  readonly schema?: string;
  readonly name: string;
}

/** A statement that PostgreSQL takes outside of a transaction only, by what it can leave half done. */
export type Outside = {
  /** In words, for messages. */
  readonly words: string;
} & (
  | { readonly makes: "index"; readonly index?: Name; readonly table: Name }
  /** `what` is absent where it is a whole schema or database. */
  | { readonly makes: "rebuilt indexes"; readonly what?: Name }
  | { readonly makes: "no index"; readonly index: Name }
  | { readonly makes: "detached partition"; readonly partition: Name; readonly parent: Name }
  | { readonly makes: "database" | "no database"; readonly database: string }
  /** What has no leftovers, or whose parts stand by themselves: VACUUM, CALL, DO and others. */
  | { readonly makes: "parts" }
);

/** Those that only wait for others and keep nobody waiting; the lock limit of a migration would end them for nothing. */
export function isConcurrent({ makes }: Outside): boolean {
  return ["index", "rebuilt indexes", "no index", "detached partition"].includes(makes);
}

/** How a statement has to run outside of a transaction; undefined: it need not. */
export function outsideOf({ kind, fields }: Statement): Outside | undefined {
  switch (kind) {
    case "IndexStmt": {
      if (fields["concurrent"] !== true) return undefined;
      const table = nameOf(fields["relation"]);
      const index = fields["idxname"] as string | undefined;
      return {
        ...{ words: "CREATE INDEX CONCURRENTLY", makes: "index", table },
        ...(index === undefined ? {} : { index: { ...table, name: index } }),
      };
    }
    case "ReindexStmt":
      return reindex(fields);
    case "DropStmt": {
      if (fields["concurrent"] !== true) return undefined;
      const [object] = (fields["objects"] as Fields[] | undefined) ?? [];
      const parts = (inner(object ?? {}, "List")["items"] as Fields[] | undefined) ?? [];
      const names = parts.map((part) => String(inner(part, "String")["sval"]));
      const schema = names.at(-2);
      const index = { ...(schema === undefined ? {} : { schema }), name: names.at(-1) ?? "" };
      return { words: "DROP INDEX CONCURRENTLY", makes: "no index", index };
    }
    case "AlterTableStmt":
      return detach(fields);
    case "CreatedbStmt":
      return { words: "CREATE DATABASE", makes: "database", database: String(fields["dbname"]) };
    case "DropdbStmt":
      return { words: "DROP DATABASE", makes: "no database", database: String(fields["dbname"]) };
    default: {
      const words = PARTS[kind]?.(fields);
      return words === undefined ? undefined : { words, makes: "parts" };
    }
  }
}

const always = (words: string) => () => words;

/** By node: its words where it cannot be, or need not be, in a transaction. */
const PARTS: Readonly<Record<string, (fields: Fields) => string | undefined>> = {
  VacuumStmt: (fields) => (fields["is_vacuumcmd"] === true ? "VACUUM" : undefined),
  ClusterStmt: (fields) => (fields["relation"] === undefined ? "CLUSTER" : undefined),
  // Only outside of a transaction may their body commit.
  CallStmt: always("CALL"),
  DoStmt: always("DO"),
  AlterSystemStmt: always("ALTER SYSTEM"),
  AlterDatabaseStmt: always("ALTER DATABASE"),
  CreateTableSpaceStmt: always("CREATE TABLESPACE"),
  DropTableSpaceStmt: always("DROP TABLESPACE"),
  CreateSubscriptionStmt: always("CREATE SUBSCRIPTION"),
  AlterSubscriptionStmt: always("ALTER SUBSCRIPTION"),
  DropSubscriptionStmt: always("DROP SUBSCRIPTION"),
};

/** Statements that a transaction takes as well, in some of their forms: they are not refused there. */
const EITHER = new Set([
  "CALL",
  "DO",
  "ALTER DATABASE",
  "CREATE SUBSCRIPTION",
  "ALTER SUBSCRIPTION",
  "DROP SUBSCRIPTION",
]);

/** What no transaction takes, in words; undefined: it may be in one. */
export function neverInTransaction(statement: Statement): string | undefined {
  const words = outsideOf(statement)?.words;
  return words === undefined || EITHER.has(words) ? undefined : words;
}

function reindex(fields: Fields): Outside | undefined {
  const options = (fields["params"] as Fields[] | undefined) ?? [];
  const concurrent = options.some((option) => {
    const { defname, arg } = inner(option, "DefElem");
    return defname === "concurrently" && !/false|off|"ival":\{\}/.test(JSON.stringify(arg ?? ""));
  });
  const relation = fields["relation"];
  if (concurrent) {
    return {
      ...{ words: "REINDEX CONCURRENTLY", makes: "rebuilt indexes" },
      ...(relation === undefined ? {} : { what: nameOf(relation) }),
    };
  }
  return relation === undefined ? { words: "REINDEX of a schema or database", makes: "parts" } : undefined;
}

function detach(fields: Fields): Outside | undefined {
  const [command] = (fields["cmds"] as Fields[] | undefined) ?? [];
  const { subtype, def } = inner(command ?? {}, "AlterTableCmd");
  const { concurrent, name } = inner((def as Fields | undefined) ?? {}, "PartitionCmd");
  if (subtype !== "AT_DetachPartition" || concurrent !== true) return undefined;
  return {
    ...{ words: "DETACH PARTITION CONCURRENTLY", makes: "detached partition" },
    ...{ partition: nameOf(name), parent: nameOf(fields["relation"]) },
  };
}

/** The name in a node of the parse tree. */
export function nameOf(node: unknown): Name {
  const { schemaname, relname = "" } = (node ?? {}) as Partial<Record<string, string>>;
  return { ...(schemaname === undefined ? {} : { schema: schemaname }), name: relname };
}

/** A name as SQL. */
export function sqlName({ schema, name }: Name): Sql {
  return schema === undefined ? identifier(name) : `${identifier(schema)}.${identifier(name)}`;
}

/** A name as a text for `to_regclass`. */
export function regclass(name: Name): Sql {
  return literal(sqlName(name));
}
