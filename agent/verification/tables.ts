import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { type Login, psql, query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";
import type { Outcome } from "./outcome.ts";
import { unreadable } from "./readable.ts";

/** What a table held at one moment. */
export interface TableContent {
  /** `schema.table`. */
  readonly table: string;
  readonly rows: number;
  /** Over all rows, whatever their order; absent where only the rows were counted. */
  readonly checksum?: string;
  /** A materialized view: a restore of a dump computes it from the tables as they are then. */
  readonly view?: true;
}

/** How tables are looked at. */
export interface TableOptions {
  /** Snapshot that another session exported. */
  readonly snapshot?: string;
  /** Who reads: the planner alone evaluates what users have put into their indexes. */
  readonly login: Login;
  readonly context: Pick<Context, "signal">;
}

/** The core tables with their checksums; where none are named, every table of the database with its count of rows. */
export async function tableContents(
  server: Server,
  database: string,
  { coreTables }: AgentConfiguration["verification"],
  { snapshot, login, context }: TableOptions,
): Promise<TableContent[]> {
  const there = (await everyTable(server, database, context)).filter(({ readable }) => readable);
  // A core table that is not there yet is no reason not to back up the others.
  const tables =
    coreTables.length === 0
      ? there
      : there.filter(({ schema, table }) => coreTables.includes(`${schema}.${table}`));
  if (tables.length === 0) return [];
  const checksum =
    coreTables.length === 0
      ? "NULL"
      : "to_hex(coalesce(bit_xor(hashtextextended(t::text, 0)), 0)) || '-' || coalesce(sum(hashtextextended(t::text, 1)::numeric), 0)";
  // By their place in the list, so that no name has to be a literal.
  const selects = tables.map(
    ({ schema, table }, index) =>
      `SELECT ${index} AS index, count(*)::float8 AS rows, ${checksum} AS checksum FROM ${quoteIdentifier(schema)}.${quoteIdentifier(table)} t`,
  );
  const begin = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;${snapshot === undefined ? "" : ` SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)};`}`;
  const sql = `${begin}\nSELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (\n${selects.join("\nUNION ALL\n")}\n) q;\nCOMMIT;\n`;
  const found: { index: number; rows: number; checksum: string | null }[] = JSON.parse(
    await psql(server, sql, { database, login, signal: context.signal }),
  );
  return found.flatMap(({ index, rows, checksum: sum }): TableContent[] => {
    const known = tables[index];
    if (known === undefined) return [];
    return [
      {
        table: `${known.schema}.${known.table}`,
        rows,
        ...(sum === null ? {} : { checksum: sum }),
        ...(known.view ? { view: true } : {}),
      },
    ];
  });
}

/**
 * Where contents differ from what they should be, a line each. A materialized view may: the tables that it is computed
 * from have been written since its last refresh.
 */
export function differences(wanted: readonly TableContent[], found: readonly TableContent[]): Outcome {
  const there = new Map(found.map((content) => [content.table, content]));
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const { table, rows, checksum, view } of wanted) {
    const present = there.get(table);
    if (present === undefined) problems.push(`${table} is missing`);
    else if (view === true || present.view === true) {
      if (present.rows !== rows || differ(checksum, present.checksum)) {
        warnings.push(
          `materialized view ${table} was stale: it had ${rows} rows, and computed from its tables it has ${present.rows}`,
        );
      }
    } else if (present.rows !== rows)
      problems.push(`${table} has ${present.rows} rows and should have ${rows}`);
    else if (differ(checksum, present.checksum))
      problems.push(`${table} has other content than it should have`);
  }
  return { problems, warnings };
}

function differ(wanted: string | undefined, found: string | undefined): boolean {
  return wanted !== undefined && found !== undefined && wanted !== found;
}

async function everyTable(
  server: Server,
  database: string,
  context: Pick<Context, "signal">,
): Promise<FoundTable[]> {
  const found = await query<FoundTable>(
    server,
    `SELECT nspname AS schema, relname AS "table", c.relkind = 'm' AS view,
            c.relispopulated AND NOT ${unreadable("c.oid")} AS readable
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
  readonly view: boolean;
  /** Whether its rows can be read now, and are its own. */
  readonly readable: boolean;
}
