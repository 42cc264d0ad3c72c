import type { AgentConfiguration } from "../configuration.ts";
import type { Context } from "../context.ts";
import { bearsMark, dropMarked } from "../database-mark.ts";
import { derivedName } from "../derived-name.ts";
import { Refusal } from "../failure.ts";
import { psql, query, quoteLiteral } from "../sql.ts";

/** Names of the databases that the restore of a dump makes. */
interface RestorePlaces {
  /** Restored into; nothing of that name is there, or what an interrupted restore of this stack left. */
  readonly beside: string;
  /** Free: the name that the database in use is kept under. */
  readonly before: string;
  /** The mark that the database restored into bears. */
  readonly mark: string;
}

/**
 * Finds the names for the restore of a dump, before anything is done.
 *
 * @throws Refusal when there is no database to replace, it cannot be replaced, or a name is another's.
 */
export async function places(
  configuration: AgentConfiguration,
  { id, database }: { readonly id: string; readonly database: string },
  { signal }: Pick<Context, "signal">,
): Promise<RestorePlaces> {
  const mark = restoreMark(configuration.stack);
  const beside = derivedName(database, "_restore");
  const found = await query<{ name: string; marked: boolean; prepared: number }>(
    configuration,
    `SELECT d.datname AS name, ${bearsMark(mark)} AS marked,
            (SELECT count(*)::int FROM pg_prepared_xacts p WHERE p.database = d.datname) AS prepared
       FROM pg_database d`,
    { signal },
  );
  const live = found.find(({ name }) => name === database);
  if (live === undefined) {
    throw new Refusal(`there is no database ${database} that the dump could replace: pulumi up makes one`);
  }
  if (live.prepared > 0) {
    throw new Refusal(
      `database ${database} has ${live.prepared} prepared transactions (pg_prepared_xacts), which would be lost: end them first`,
    );
  }
  if (found.some(({ name, marked }) => name === beside && !marked)) {
    throw new Refusal(
      `nothing was changed: there is a database ${beside}, which this stack did not make and a dump is restored into: rename it, or drop it if nobody needs it`,
    );
  }
  const taken = new Set(found.map(({ name }) => name));
  const suffix = `_before_${id.slice(0, 15).toLowerCase()}_${id.slice(-4)}`;
  let before = derivedName(database, suffix);
  for (let n = 2; taken.has(before); n += 1) before = derivedName(database, `${suffix}_${n}`);
  return { beside, before, mark };
}

/** Removes what an interrupted restore of a dump left. To be called under the lock. */
export async function removeInterruptedRestore(configuration: AgentConfiguration): Promise<void> {
  const beside = derivedName(configuration.database, "_restore");
  await psql(configuration, dropMarked(beside, restoreMark(configuration.stack)));
}

/** Whether an interrupted restore of a dump, or one at work, has left a database. */
export async function hasUnfinishedRestore(configuration: AgentConfiguration): Promise<boolean> {
  const beside = derivedName(configuration.database, "_restore");
  const sql = `SELECT 1 FROM pg_database d WHERE d.datname = ${quoteLiteral(beside)} AND ${bearsMark(restoreMark(configuration.stack))}`;
  return (await query(configuration, sql)).length > 0;
}

/** Comment of the database that a dump is restored into. */
export function restoreMark(stack: string): string {
  return `Made by pgstack restore-dump of stack ${stack}; removed when it is interrupted.`;
}
