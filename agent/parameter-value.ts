import { quoteIdentifier, quoteLiteral } from "./sql.ts";

/**
 * Parameters whose stored value is a list that is quoted already: quoted once more it would be one name. Extensions
 * cannot add to them.
 *
 * Source: variable_is_guc_list_quote in https://github.com/postgres/postgres/blob/REL_16_STABLE/src/bin/pg_dump/dumputils.c
 */
const QUOTED_LISTS: ReadonlySet<string> = new Set([
  ...["search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"],
  ...["shared_preload_libraries", "unix_socket_directories"],
]);

/** `name TO value`, as ALTER DATABASE and ALTER ROLE take it, of a setting as the catalogue stores it. */
export function parameterAssignment(name: string, stored: string): string {
  const value = QUOTED_LISTS.has(name.toLowerCase()) ? listLiterals(stored) : quoteLiteral(stored);
  return `${name.split(".").map(quoteIdentifier).join(".")} TO ${value}`;
}

/** SQL for the same, where the setting is the expression `setting` of the text `name=value`. */
export function assignmentInSql(setting: string): string {
  const name = `split_part(${setting}, '=', 1)`;
  const value = `substr(${setting}, strpos(${setting}, '=') + 1)`;
  const parts = `(SELECT string_agg(quote_ident(part), '.') FROM regexp_split_to_table(${name}, '[.]') part)`;
  const element = `coalesce(replace(m[1], '""', '"'), btrim(m[2], E' \\t\\n\\r\\f\\v'), '')`;
  const list = `(SELECT string_agg(quote_literal(${element}), ', ') FROM regexp_matches(${value}, ${quoteLiteral(ELEMENT)}, 'g') m)`;
  const lists = [...QUOTED_LISTS].map(quoteLiteral).join(", ");
  return `${parts} || ' TO ' || CASE WHEN lower(${name}) IN (${lists}) THEN coalesce(${list}, quote_literal('')) ELSE quote_literal(${value}) END`;
}

/** One of a list, in JavaScript and in PostgreSQL. */
const ELEMENT = '\\s*(?:"((?:[^"]|"")*)"|([^,]+))\\s*(?:,|$)';

/** Each element as a literal of its own: what the owner of a database wrote never becomes SQL as it is. */
function listLiterals(stored: string): string {
  const elements = [...stored.matchAll(new RegExp(ELEMENT, "g"))].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain?.trim() ?? "",
  );
  return elements.length === 0 ? "''" : elements.map(quoteLiteral).join(", ");
}
