import type { AgentInServer } from "./agent-in-server.ts";

/** Catalogues with statistics and content, not definitions. */
const SKIPPED = ["pg_statistic", "pg_statistic_ext_data", "pg_largeobject"];
/**
 * Columns that say where something is stored, or are hints that PostgreSQL keeps up lazily. NO INHERIT of a check is in its
 * definition, and of a partition's key the column means nothing and is another one after any dump.
 */
const PHYSICAL = [
  ...[
    "oid",
    "relfilenode",
    "relpages",
    "reltuples",
    "relallvisible",
    "reltoastrelid",
    "relfrozenxid",
    "relminmxid",
  ],
  ...[
    "relhassubclass",
    "relhastriggers",
    "relhasrules",
    "relhasindex",
    "attcacheoff",
    "datfrozenxid",
    "datminmxid",
  ],
  ...["indcheckxmin", "dbid", "connoinherit"],
];
/** What a row's expressions say: their stored form holds object identifiers. */
const DEFINITIONS: Readonly<Record<string, string>> = {
  pg_attrdef: "pg_get_expr(t.adbin, t.adrelid)",
  pg_class: "pg_get_expr(t.relpartbound, t.oid)",
  pg_constraint: "pg_get_constraintdef(t.oid)",
  pg_index: "pg_get_indexdef(t.indexrelid)",
  pg_policy: "concat_ws('|', pg_get_expr(t.polqual, t.polrelid), pg_get_expr(t.polwithcheck, t.polrelid))",
  pg_partitioned_table: "pg_get_partkeydef(t.partrelid)",
  pg_proc: "pg_get_function_sqlbody(t.oid)",
  pg_publication_rel: "pg_get_expr(t.prqual, t.prrelid)",
  pg_rewrite: "pg_get_ruledef(t.oid)",
  pg_statistic_ext: "pg_get_statisticsobjdef(t.oid)",
  pg_trigger: "pg_get_triggerdef(t.oid)",
  pg_type: "pg_get_expr(t.typdefaultbin, 0)",
};
/** Columns that name an object together: class, object, part of it. */
const ADDRESSES = [
  ["classid", "objid", "objsubid"],
  ["refclassid", "refobjid", "refobjsubid"],
  ["classoid", "objoid", "objsubid"],
];
/** PostgreSQL itself writes casts and parentheses otherwise once an expression was dumped and read again. */
const UNSTABLE = /::(character varying|text)(\(\d+\))?(\[\])?|[()]/g;
/** Lists whose order means nothing. */
const SETS = ["polroles"];
const SHARED = ["pg_database", "pg_db_role_setting", "pg_shdescription", "pg_shseclabel", "pg_shdepend"];

interface Column {
  readonly catalogue: string;
  readonly column: string;
  readonly type: string;
  readonly shared: boolean;
  /** Catalogue that it refers to. */
  readonly target: string | null;
  readonly list: boolean | null;
}

/**
 * Every row of every system catalogue that is about the database's own objects, object identifiers replaced by names:
 * equal before and after, whatever kind of object somebody may think of next.
 */
export async function catalogue(server: AgentInServer, database = "app"): Promise<string[]> {
  const columns = await server.query<Column>(
    `SELECT c.relname AS catalogue, a.attname AS "column", a.atttypid::regtype::text AS type, c.relisshared AS shared,
            f.pktable::text AS target, f.is_array AS list
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
       LEFT JOIN (SELECT DISTINCT ON (fktable, fkcols) * FROM pg_get_catalog_foreign_keys() WHERE cardinality(fkcols) = 1) f
              ON f.fktable = c.oid AND f.fkcols[1] = a.attname
      WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' ORDER BY 1, a.attnum`,
    database,
  );
  const selects: string[] = [];
  for (const [name, own] of Map.groupBy(columns, ({ catalogue }) => catalogue)) {
    if (SKIPPED.includes(name) || (own[0]?.shared === true && !SHARED.includes(name))) continue;
    selects.push(select(name, own));
  }
  const rows = await server.query<{ row: string }>(selects.join("\nUNION ALL\n"), database);
  return rows
    .map(({ row }) => row.replaceAll(UNSTABLE, ""))
    .filter((row) => !/pg_toast|pg_temp|RI_ConstraintTrigger|_before_/.test(row))
    .sort();
}

function select(name: string, columns: readonly Column[]): string {
  const has = (column: string): boolean => columns.some((one) => one.column === column);
  const replaced: [string, string][] = [];
  for (const [classColumn = "", object = "", part = ""] of ADDRESSES) {
    if (!has(classColumn)) continue;
    replaced.push([
      classColumn,
      `pg_describe_object(t.${classColumn}, t.${object}, ${has(part) ? `t.${part}` : "0"})`,
    ]);
    replaced.push([object, "NULL"]);
  }
  for (const { column, type, target, list } of columns) {
    const described = `pg_describe_object('${target}'::regclass, item, 0)`;
    if (column === "setconfig")
      replaced.push([column, `(SELECT array_agg(item ORDER BY item) FROM unnest(t.${column}) item)`]);
    else if (type === "pg_node_tree") replaced.push([column, "NULL"]);
    else if (type === "aclitem[]")
      replaced.push([
        column,
        `(SELECT array_agg(item::text ORDER BY item::text) FROM unnest(t.${column}) item)`,
      ]);
    else if (target !== null && !replaced.some(([done]) => done === column))
      replaced.push([
        column,
        list === true
          ? `(SELECT array_agg(${described}${SETS.includes(column) ? ` ORDER BY ${described}` : ""}) FROM unnest(t.${column}::oid[]) item)`
          : `pg_describe_object('${target}'::regclass, t.${column}, 0)`,
      ]);
  }
  const definition = DEFINITIONS[name] ?? "''";
  const pairs = [...replaced.map(([column, sql]) => `'${column}', ${sql}`), `'definition', ${definition}`];
  return `SELECT '${name} ' || ((to_jsonb(t) - '{${PHYSICAL.join(",")}}'::text[]) || jsonb_build_object(${pairs.join(", ")}))::text AS row
            FROM pg_catalog.${name} t WHERE ${filter(name, columns)}`;
}

function filter(name: string, columns: readonly Column[]): string {
  const has = (column: string): boolean => columns.some((one) => one.column === column);
  if (name === "pg_database") return "datname = current_database()";
  if (name === "pg_shdepend")
    return "dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))";
  if (SHARED.includes(name) || name === "pg_namespace") return "true";
  const key = ["oid", "objid", "objoid"].find(has) ?? columns.find(({ target }) => target !== null)?.column;
  return key === undefined ? "true" : `t.${key}::oid >= 16384`;
}
