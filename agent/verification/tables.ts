import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { psql, query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";

/** What a table held at one moment. */
export interface TableContent {
  /** `schema.table`. */
  readonly table: string;
  readonly rows: number;
  /** Over all rows, whatever their order; absent where only the rows were counted. */
  readonly checksum?: string;
}

/** How tables are looked at. */
export interface TableOptions {
  /** Snapshot that another session exported. */
  readonly snapshot?: string;
  readonly context: Pick<Context, "signal">;
}

/** The core tables with their checksums; where none are named, every table of the database with its count of rows. */
export async function tableContents(
  server: Server,
  database: string,
  { coreTables }: AgentConfiguration["verification"],
  { snapshot, context }: TableOptions,
): Promise<TableContent[]> {
  const there = await everyTable(server, database, context);
  const tables =
    coreTables.length === 0
      ? there.filter(({ locked }) => !locked)
      : coreTables.map(named).filter((one) => isReadable(one, there));
  if (tables.length === 0) return [];
  const selects = tables.map(({ schema, table }) => {
    const checksum =
      coreTables.length === 0
        ? "NULL"
        : "to_hex(coalesce(bit_xor(hashtextextended(t::text, 0)), 0)) || '-' || coalesce(sum(hashtextextended(t::text, 1)::numeric), 0)";
    return `SELECT ${quoteLiteral(`${schema}.${table}`)} AS "table", count(*)::float8 AS rows, ${checksum} AS checksum FROM ${quoteIdentifier(schema)}.${quoteIdentifier(table)} t`;
  });
  const begin = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;${snapshot === undefined ? "" : ` SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)};`}`;
  const sql = `${begin}\nSELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (\n${selects.join("\nUNION ALL\n")}\n) q;\nCOMMIT;\n`;
  const found: { table: string; rows: number; checksum: string | null }[] = JSON.parse(
    await psql(server, sql, { database, signal: context.signal }),
  );
  return found.map(({ table, rows, checksum }) => ({
    table,
    rows,
    ...(checksum === null ? {} : { checksum }),
  }));
}

/** Where contents differ from what they should be, a line each. */
export function differences(wanted: readonly TableContent[], found: readonly TableContent[]): string[] {
  const there = new Map(found.map((one) => [one.table, one]));
  return wanted.flatMap(({ table, rows, checksum }) => {
    const other = there.get(table);
    if (other === undefined) return [`${table} is missing`];
    if (other.rows !== rows) return [`${table} has ${other.rows} rows and should have ${rows}`];
    return checksum !== undefined && other.checksum !== undefined && other.checksum !== checksum
      ? [`${table} has other content than it should have`]
      : [];
  });
}

async function everyTable(
  server: Server,
  database: string,
  context: Pick<Context, "signal">,
): Promise<FoundTable[]> {
  const found = await query<FoundTable>(
    server,
    `SELECT nspname AS schema, relname AS "table", ${lockedInRecovery("c.oid")} AS locked
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
      ORDER BY 1, 2`,
    { database, signal: context.signal },
  );
  return found;
}

interface FoundTable {
  readonly schema: string;
  readonly table: string;
  readonly locked: boolean;
}

/** A core table that is not made yet is no reason not to back up the others. */
function isReadable(one: { schema: string; table: string }, there: readonly FoundTable[]): boolean {
  return there.some(({ schema, table, locked }) => !locked && schema === one.schema && table === one.table);
}

/**
 * Whether a table waits for a transaction that was open at the moment to which recovery went: it can only be read once
 * recovery has ended.
 */
export function lockedInRecovery(oid: string): string {
  return `(pg_is_in_recovery() AND EXISTS (SELECT FROM pg_locks l WHERE l.relation = ${oid} AND l.granted
    AND l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())))`;
}

function named(name: string): { schema: string; table: string } {
  const [schema = "", table = ""] = name.split(".");
  return { schema, table };
}
