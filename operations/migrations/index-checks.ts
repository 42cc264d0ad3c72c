import type { Client } from "pg";
import { literal, type Sql } from "../sql.ts";
import { type Name, nameOf, regclass } from "./outside.ts";
import type { Statement } from "./statements.ts";

/** A condition on `pg_index i`: queries use it. */
export const VALID = "(i.indisvalid AND i.indisready AND i.indislive)";

/** An index of the name that a CREATE INDEX gives, of which it would be wrong to say that it is the one. */
export interface WrongIndex {
  readonly name: string;
  readonly reason: "invalid" | "in progress" | "another table";
}

/** Looks whether the index that a CREATE INDEX names is there and no good; undefined: it is absent, or good. */
export async function wrongIndex(client: Client, index: Name, table: Name): Promise<WrongIndex | undefined> {
  const { rows } = await client.query<{ name: string; valid: boolean; here: boolean; building: boolean }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, ${VALID} AS valid, i.indrelid = t.oid AS here,
            EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid) AS building
       FROM ${named(index.name, table)}`,
  );
  const [found] = rows;
  if (found === undefined || (found.valid && found.here)) return undefined;
  const { name, here, building } = found;
  return { name, reason: building ? "in progress" : here ? "invalid" : "another table" };
}

/** SQL that fails where CREATE INDEX IF NOT EXISTS was content with an index that is invalid; for a transaction's end. */
export function requireValidIndexesSql(statements: readonly Statement[]): Sql {
  return statements
    .filter(({ kind, fields }) => kind === "IndexStmt" && fields["if_not_exists"] === true)
    .map(({ fields }) => {
      const from = named(String(fields["idxname"]), nameOf(fields["relation"]));
      const body = `DECLARE invalid text := (SELECT format('%I.%I', n.nspname, c.relname) FROM ${from} AND NOT ${VALID});
BEGIN
  IF invalid IS NOT NULL THEN
    RAISE EXCEPTION 'index % is there and invalid, as a CREATE INDEX CONCURRENTLY that failed leaves it: run DROP INDEX CONCURRENTLY %, then this again', invalid, invalid;
  END IF;
END`;
      return `DO ${literal(body)};`;
    })
    .join("\n");
}

// A parent's index (relkind I) may be invalid on purpose, until one of each partition is attached to it.
function named(index: string, table: Name): Sql {
  return `pg_class t JOIN pg_class c ON c.relnamespace = t.relnamespace JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_index i ON i.indexrelid = c.oid
    WHERE t.oid = to_regclass(${regclass(table)}) AND c.relname = ${literal(index)} AND c.relkind = 'i'`;
}
