import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { messageOf } from "../failure.ts";
import { type Login, psql, query, type Server } from "../sql.ts";
import { databaseFindings, type Finding, newFindings } from "./findings.ts";
import type { Outcome } from "./outcome.ts";

/** How a restored database is checked. */
export interface CheckOptions {
  /**
   * What was so at the source in the moment of the backup: it is only told of. Absent: nothing is known, or it may have
   * come about since, and everything that ordinary SQL can bring about is only told of.
   */
  readonly known?: readonly Finding[];
  /** Who asks: what it asks for may be views and functions of users. */
  readonly login: Login;
  readonly context: Pick<Context, "signal">;
}

/**
 * Compares a restored database with its source: indexes, constraints, sequences and materialized views are as they were
 * there, and the stack's own verification SQL answers with true.
 */
export async function checkDatabase(
  server: Server,
  database: string,
  { sql }: AgentConfiguration["verification"],
  { known, login, context }: CheckOptions,
): Promise<Outcome> {
  const [compared, own] = await Promise.all([
    compareFindings(server, database, { ...(known === undefined ? {} : { known }), login, context }),
    ownChecks(server, database, sql, { login, context }),
  ]);
  return { problems: [...compared.problems, ...own], warnings: compared.warnings };
}

async function compareFindings(
  server: Server,
  database: string,
  { known, login, context }: CheckOptions,
): Promise<Outcome> {
  try {
    const found = await databaseFindings(server, database, { login, context });
    if (known === undefined) return { problems: [], warnings: messages(found) };
    // That a function may not be restored is refuted by the restore.
    const appeared = newFindings(found, known).filter(({ kind }) => kind !== "search_path");
    return { problems: messages(appeared), warnings: messages(known) };
  } catch (error) {
    context.signal.throwIfAborted();
    return { problems: [`its catalogs and sequences cannot be read: ${messageOf(error)}`], warnings: [] };
  }
}

function messages(findings: readonly Finding[]): string[] {
  return findings.map(({ message }) => message);
}

async function ownChecks(
  server: Server,
  database: string,
  files: AgentConfiguration["verification"]["sql"],
  { login, context: { signal } }: Pick<CheckOptions, "login" | "context">,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, text } of files) {
    try {
      const answers = (
        await psql(server, `SET search_path = "$user", public;\n${text}`, { database, login, signal })
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
