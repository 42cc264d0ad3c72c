import { type Fields, inner, type Statement, statementsOf } from "./statements.ts";

/** A statement that does harm on a database in use. */
export interface Finding {
  readonly line: number;
  /** What it does, and what to do instead. */
  readonly message: string;
}

/** Longer than this nobody keeps the rules in mind: each names what it does and the way around it. */
const RULES: readonly ((statement: Statement, made: ReadonlySet<string>) => string | undefined)[] = [
  ({ kind, fields }, made) =>
    kind === "IndexStmt" && fields["concurrent"] !== true && !made.has(relationOf(fields["relation"]))
      ? "CREATE INDEX keeps everyone from writing to the table while it is made: CREATE INDEX CONCURRENTLY, alone in a migration with the line `-- no transaction`"
      : undefined,
  ({ kind, fields }) =>
    kind === "DropStmt" && fields["removeType"] === "OBJECT_INDEX" && fields["concurrent"] !== true
      ? "DROP INDEX waits for every query of the table and keeps others waiting: DROP INDEX CONCURRENTLY, alone with `-- no transaction`"
      : undefined,
  ({ kind, fields }) =>
    kind === "DropStmt" && ["OBJECT_TABLE", "OBJECT_SCHEMA"].includes(String(fields["removeType"]))
      ? "DROP takes data away that no way down brings back: first deploy what does not use it any more"
      : undefined,
  ({ kind }) =>
    kind === "TruncateStmt" ? "TRUNCATE takes data away that no way down brings back" : undefined,
  ({ kind, fields }) =>
    kind === "RenameStmt" && ["OBJECT_TABLE", "OBJECT_COLUMN"].includes(String(fields["renameType"]))
      ? "RENAME breaks clients that use the name of before: add the new one beside it, and drop the old one later"
      : undefined,
  ({ kind, fields }) =>
    (kind === "VacuumStmt" && JSON.stringify(fields["options"] ?? "").includes('"full"')) ||
    kind === "ClusterStmt"
      ? "this writes the whole table anew and locks everyone out meanwhile"
      : undefined,
  ({ kind }) =>
    kind === "LockStmt" ? "LOCK TABLE keeps others waiting until the migration ends" : undefined,
];

/** The same for the parts of ALTER TABLE. */
const PARTS: Readonly<Record<string, (definition: Fields) => string | undefined>> = {
  AT_AlterColumnType: () =>
    "ALTER COLUMN … TYPE mostly writes the whole table anew and locks everyone out meanwhile: add a column, fill it in parts, exchange the two",
  AT_SetNotNull: () =>
    "SET NOT NULL reads the whole table under a lock: add CHECK (… IS NOT NULL) NOT VALID, validate it in a migration after this one, then SET NOT NULL",
  AT_DropColumn: () =>
    "DROP COLUMN takes data away that no way down brings back: first deploy what does not use it any more",
  AT_AddConstraint: (definition) => {
    const constraint = inner(definition, "Constraint");
    if (constraint["skip_validation"] === true || constraint["indexname"] !== undefined) return undefined;
    switch (constraint["contype"]) {
      case "CONSTR_FOREIGN":
      case "CONSTR_CHECK":
        return "this constraint is checked on every row under a lock: add it NOT VALID, and VALIDATE CONSTRAINT in a migration after this one";
      case "CONSTR_UNIQUE":
      case "CONSTR_PRIMARY":
        return "the index of this constraint is made under a lock: CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX";
      default:
        return undefined;
    }
  },
  AT_AddColumn: (definition) => {
    const column = inner(definition, "ColumnDef");
    const constraints = (column["constraints"] as Fields[] | undefined) ?? [];
    const kinds = constraints.map((one) => inner(one, "Constraint"));
    const fallback = kinds.find((one) => one["contype"] === "CONSTR_DEFAULT");
    if (JSON.stringify(fallback ?? "").includes("FuncCall") && !isSteady(fallback)) {
      return "a column with a default that is another one for each row writes the whole table anew: add the column, set the default, fill it in parts";
    }
    if (kinds.some((one) => one["contype"] === "CONSTR_NOTNULL") && fallback === undefined) {
      return "NOT NULL without a default fails on a table with rows: give a default, or fill the column first";
    }
    return undefined;
  },
};

/** Functions that PostgreSQL computes once for all rows of a new column. */
const STEADY = new Set(["now", "current_timestamp", "transaction_timestamp", "statement_timestamp"]);

/**
 * What in a migration harms a database in use. Tables that the same migration makes are nobody's yet.
 *
 * @throws UserError for SQL that PostgreSQL does not understand.
 */
export async function lint(name: string, sql: string): Promise<Finding[]> {
  const statements = await statementsOf(name, sql);
  const made = new Set(
    statements.flatMap(({ kind, fields }) => (kind === "CreateStmt" ? [relationOf(fields["relation"])] : [])),
  );
  return statements.flatMap((statement) => {
    const { kind, fields, line } = statement;
    const messages =
      kind === "AlterTableStmt" && !made.has(relationOf(fields["relation"]))
        ? ((fields["cmds"] as Fields[] | undefined) ?? []).map((command) => {
            const part = inner(command, "AlterTableCmd");
            return PARTS[String(part["subtype"])]?.((part["def"] as Fields | undefined) ?? {});
          })
        : RULES.map((rule) => rule(statement, made));
    return messages.filter((message) => message !== undefined).map((message) => ({ line, message }));
  });
}

function relationOf(node: unknown): string {
  const { schemaname = "public", relname = "" } = (node ?? {}) as Record<string, string>;
  return `${schemaname}.${relname}`;
}

function isSteady(constraint: Fields | undefined): boolean {
  const names = [...JSON.stringify(constraint ?? "").matchAll(/"sval":"(\w+)"/g)].map(
    ([, name = ""]) => name,
  );
  return names.every((name) => STEADY.has(name) || name === "pg_catalog");
}
