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

/** Each element as a literal of its own: what the owner of a database wrote never becomes SQL as it is. */
function listLiterals(stored: string): string {
  const elements = [...stored.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,]+))\s*(?:,|$)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain?.trim() ?? "",
  );
  return elements.length === 0 ? "''" : elements.map(quoteLiteral).join(", ");
}
