import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { psql, query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";
import { lockedInRecovery } from "./tables.ts";

/**
 * What a restored database must stand: constraints are valid, sequences are ahead of the columns that they feed, the
 * stack's own verification SQL answers with true.
 *
 * @returns What is wrong, a line each.
 */
export async function checkDatabase(
  server: Server,
  database: string,
  { sql }: AgentConfiguration["verification"],
  context: Pick<Context, "signal">,
): Promise<string[]> {
  return [
    ...(await invalidConstraints(server, database, context)),
    ...(await sequencesBehind(server, database, context)),
    ...(await ownChecks(server, database, sql, context)),
  ];
}

async function invalidConstraints(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<string[]> {
  const found = await query<{ index: string }>(
    server,
    "SELECT indexrelid::regclass::text AS index FROM pg_index WHERE NOT indisvalid OR NOT indisready",
    { database, signal },
  );
  return found.map(({ index }) => `index ${index} is not valid`);
}

async function sequencesBehind(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<string[]> {
  const owned = await query<{ sequence: string; table: string; column: string; up: boolean }>(
    server,
    `SELECT s.oid::regclass::text AS sequence, d.refobjid::regclass::text AS "table", a.attname AS "column",
            q.seqincrement > 0 AS up
       FROM pg_class s
       JOIN pg_sequence q ON q.seqrelid = s.oid
       JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.deptype IN ('a', 'i')
       JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
       JOIN pg_type t ON t.oid = a.atttypid
      WHERE s.relkind = 'S' AND d.refobjsubid > 0 AND t.typcategory = 'N' AND NOT q.seqcycle
        AND NOT ${lockedInRecovery("d.refobjid")} AND NOT ${lockedInRecovery("s.oid")}`,
    { database, signal },
  );
  if (owned.length === 0) return [];
  const selects = owned.map(
    ({ sequence, table, column, up }) =>
      `SELECT ${quoteLiteral(sequence)} AS sequence
        WHERE (SELECT ${up ? "max" : "min"}(${quoteIdentifier(column)}) FROM ${table}) ${up ? ">" : "<"} (SELECT last_value FROM ${sequence})`,
  );
  const behind = await query<{ sequence: string }>(server, selects.join("\nUNION ALL\n"), {
    database,
    signal,
  });
  return behind.map(({ sequence }) => `sequence ${sequence} is behind its column`);
}

async function ownChecks(
  server: Server,
  database: string,
  files: AgentConfiguration["verification"]["sql"],
  { signal }: Pick<Context, "signal">,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, text } of files) {
    try {
      const answers = (
        await psql(server, `SET search_path = "$user", public;\n${text}`, { database, signal })
      )
        .split("\n")
        .filter((line) => line !== "");
      if (answers.length === 0) problems.push(`${name} has no query that answers`);
      answers.forEach((answer, index) => {
        if (answer !== "t")
          problems.push(`${name}: answer ${index + 1} is ${answer.slice(0, 100)} and not true`);
      });
    } catch (error) {
      signal.throwIfAborted();
      // Before recovery has ended, a transaction that was open may hold a table; after it, everything is asked again.
      if (/lock timeout/.test(String(error)) && (await isInRecovery(server))) continue;
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return problems;
}

async function isInRecovery(server: Server): Promise<boolean> {
  const [row] = await query<{ recovering: boolean }>(server, "SELECT pg_is_in_recovery() AS recovering");
  return row?.recovering === true;
}
