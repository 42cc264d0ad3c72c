import type { Context } from "../context.ts";
import { type Login, psql, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";
import { unreadable } from "./readable.ts";
import { searchPathFindings } from "./search-path.ts";

/** What kind of oddity a {@link Finding} is. */
export type FindingKind =
  | "invalid index"
  | "constraint not validated"
  | "sequence behind"
  | "view never filled"
  | "search_path";

/** Something odd in a database that came about by ordinary SQL. Kind and object identify it, at the source and restored. */
export interface Finding {
  readonly kind: FindingKind;
  /** Qualified and quoted as SQL wants it. */
  readonly object: string;
  /** One line that names the object and the statement that cures it. */
  readonly message: string;
}

/** How a database is looked at. */
export interface FindingsOptions {
  /** Snapshot that another session exported. */
  readonly snapshot?: string;
  /** Never wait for a lock or read a table for long: what cannot be had at once is left out. */
  readonly hasty?: boolean;
  /** Who reads the tables. */
  readonly login: Login;
  readonly context: Pick<Context, "signal">;
}

const HASTY = "SET lock_timeout = '1s'; SET statement_timeout = '15s';";

/** Everything odd in a database. @throws Error when a table cannot be read, but not where it is {@link FindingsOptions.hasty}. */
export async function databaseFindings(
  server: Server,
  database: string,
  options: FindingsOptions,
): Promise<Finding[]> {
  const ask = <Row>(sql: string): Promise<Row[]> => rows(server, database, sql, options);
  const sequences = sequencesBehind(ask).catch((error: unknown) => {
    options.context.signal.throwIfAborted();
    if (options.hasty !== true) throw error;
    return [];
  });
  const found = await Promise.allSettled([ask<Finding>(CATALOG), sequences, searchPathFindings(ask)]);
  const failed = found.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return found.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
}

/** What `findings` has that `known` has not. */
export function newFindings(findings: readonly Finding[], known: readonly Finding[]): Finding[] {
  const there = new Set(known.map(identity));
  return findings.filter((finding) => !there.has(identity(finding)));
}

function identity({ kind, object }: Finding): string {
  return `${kind} ${object}`;
}

/** How findings are asked for: one SELECT, its rows as JSON makes them. */
export type Ask = <Row>(sql: string) => Promise<Row[]>;

async function rows<Row>(
  server: Server,
  database: string,
  sql: string,
  { snapshot, hasty, login, context: { signal } }: FindingsOptions,
): Promise<Row[]> {
  const text = `${hasty === true ? HASTY : ""}
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;${snapshot === undefined ? "" : ` SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)};`}
    SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (\n${sql}\n) AS q;
    COMMIT;\n`;
  return JSON.parse(await psql(server, text, { database, login, signal })) as Row[];
}

/** Temporary relations are of sessions that a restored cluster has not. */
const CATALOG = `
  SELECT 'invalid index' AS kind, i.oid::regclass::text AS object,
         CASE WHEN i.relkind = 'I'
              THEN format('index %s of the partitioned table %s is not valid: attach an index of each partition to it (ALTER INDEX %s ATTACH PARTITION …)', i.oid::regclass, x.indrelid::regclass, i.oid::regclass)
              ELSE format('index %s is not valid: REINDEX INDEX CONCURRENTLY %s, or drop it', i.oid::regclass, i.oid::regclass) END AS message
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
   WHERE NOT (x.indisvalid AND x.indisready) AND i.relpersistence <> 't'
  UNION ALL
  SELECT 'constraint not validated', format('%s on %s', quote_ident(c.conname), c.conrelid::regclass),
         format('constraint %s of table %s is not validated: ALTER TABLE %s VALIDATE CONSTRAINT %s', quote_ident(c.conname), c.conrelid::regclass, c.conrelid::regclass, quote_ident(c.conname))
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
   WHERE NOT c.convalidated AND c.conparentid = 0 AND t.relpersistence <> 't'
  UNION ALL
  SELECT 'constraint not validated', format('%s on %s', quote_ident(c.conname), c.contypid::regtype),
         format('constraint %s of domain %s is not validated: ALTER DOMAIN %s VALIDATE CONSTRAINT %s', quote_ident(c.conname), c.contypid::regtype, c.contypid::regtype, quote_ident(c.conname))
    FROM pg_constraint c WHERE NOT c.convalidated AND c.contypid <> 0
  UNION ALL
  SELECT 'view never filled', v.oid::regclass::text,
         format('materialized view %s (owner %s) is not filled: REFRESH MATERIALIZED VIEW %s', v.oid::regclass, quote_ident(pg_get_userbyid(v.relowner)), v.oid::regclass)
    FROM pg_class v WHERE v.relkind = 'm' AND NOT v.relispopulated`;

interface OwnedSequence {
  readonly oid: string;
  readonly sequence: string;
  readonly table: string;
  readonly column: string;
  readonly increment: string;
}

/** Sequences whose next value the column that they feed already has, or is beyond. */
async function sequencesBehind(ask: Ask): Promise<Finding[]> {
  const owned = await ask<OwnedSequence>(
    `SELECT s.oid::text AS oid, s.oid::regclass::text AS sequence, t.oid::regclass::text AS "table", a.attname AS "column",
            q.seqincrement::text AS increment
       FROM pg_class s
       JOIN pg_sequence q ON q.seqrelid = s.oid
       JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
       JOIN pg_class t ON t.oid = d.refobjid
       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
       JOIN pg_type y ON y.oid = a.atttypid
      WHERE s.relkind = 'S' AND s.relpersistence = 'p' AND t.relpersistence = 'p' AND NOT q.seqcycle
        AND coalesce(nullif(y.typbasetype, 0), y.oid) IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
        AND NOT ${unreadable("t.oid")} AND NOT ${unreadable("s.oid")}`,
  );
  if (owned.length === 0) return [];
  const selects = owned.map(({ oid, sequence, table, column, increment }) => {
    const [furthest, reaches] = increment.startsWith("-") ? ["min", "<="] : ["max", ">="];
    return `SELECT '${oid}' AS oid WHERE (SELECT ${furthest}(${quoteIdentifier(column)}) FROM ${table})
      ${reaches} (SELECT last_value::numeric + CASE WHEN is_called THEN ${increment} ELSE 0 END FROM ${sequence})`;
  });
  const behind = new Set((await ask<{ oid: string }>(selects.join("\nUNION ALL\n"))).map(({ oid }) => oid));
  return owned
    .filter(({ oid }) => behind.has(oid))
    .map(({ sequence, table, column, increment }) => ({
      kind: "sequence behind",
      object: sequence,
      message: `sequence ${sequence} is behind its column: its next value is in ${table} already; set it by setval to the ${increment.startsWith("-") ? "lowest" : "highest"} ${quoteIdentifier(column)} there`,
    }));
}
