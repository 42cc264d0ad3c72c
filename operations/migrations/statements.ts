import { parse } from "libpg-query";
import { UserError } from "../user-error.ts";
import { MIGRATION_FOLDER } from "./files.ts";
import { lineAfter, psqlOnly } from "./psql-only.ts";

/** Fields of a node of the parse tree. */
export type Fields = Readonly<Record<string, unknown>>;

/** One statement of a migration. */
export interface Statement {
  /** Name of its node in the parse tree, for example `IndexStmt`. */
  readonly kind: string;
  readonly fields: Fields;
  readonly line: number;
}

/**
 * The statements of a migration.
 *
 * @throws UserError with the line of what psql alone understands, or of what PostgreSQL does not.
 */
export async function statementsOf(name: string, sql: string): Promise<Statement[]> {
  if (sql.trim() === "") return [];
  const refused = psqlOnly(sql);
  if (refused !== undefined) {
    throw new UserError(`${MIGRATION_FOLDER}/${name}, line ${refused.line}: ${refused.message}`);
  }
  let parsed: { stmts?: { stmt?: unknown; stmt_location?: number }[] };
  try {
    parsed = (await parse(sql)) as typeof parsed;
  } catch (error) {
    const details = (error as { sqlDetails?: { cursorPosition?: number } }).sqlDetails;
    // The parser counts characters here, and bytes below.
    const before = [...sql].slice(0, details?.cursorPosition ?? 0).join("");
    const message = error instanceof Error ? error.message : String(error);
    const hint = message.endsWith('at or near ":"')
      ? " (:name is a variable of psql: write the value itself)"
      : "";
    throw new UserError(`${MIGRATION_FOLDER}/${name}, line ${lineAfter(before)}: ${message}${hint}`, {
      cause: error,
    });
  }
  const bytes = Buffer.from(sql);
  return (parsed.stmts ?? []).map(({ stmt, stmt_location: at = 0 }) => {
    const [[kind, fields] = ["", {}]] = Object.entries((stmt ?? {}) as Record<string, Fields>);
    const rest = bytes.subarray(at).toString();
    const gap = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*/.exec(rest)?.[0] ?? "";
    return { kind, fields, line: lineAfter(bytes.subarray(0, at).toString() + gap) };
  });
}

/** A node inside of another. */
export function inner(node: Fields, kind: string): Fields {
  return (node[kind] as Fields | undefined) ?? {};
}
