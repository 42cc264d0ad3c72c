import { SqlError } from "../superuser/sql-error.ts";
import { runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { UserError } from "../user-error.ts";
import type { DatabaseSpecification } from "./specification.ts";

/** A file of SQL that is run once, when the database is made. */
export interface InitSqlFile {
  /** For messages. */
  readonly name: string;
  readonly sql: string;
}

/** A file may load a lot of data. */
const TIMEOUT_MILLISECONDS = 3_600_000;

/**
 * Runs files in order, each in one transaction, in a superuser's session that has taken the administrator's role: what
 * they make belongs to it. The first error ends everything.
 *
 * @throws UserError naming file, line and the server's message.
 */
export async function runInitSql(
  target: Target,
  database: DatabaseSpecification,
  files: readonly InitSqlFile[],
): Promise<void> {
  for (const file of files) {
    try {
      await runAsSuperuser(target, file.sql, {
        database: database.name,
        role: database.administrator,
        singleTransaction: true,
        logged: true,
        timeoutMilliseconds: TIMEOUT_MILLISECONDS,
      });
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      const place = error.line === undefined ? file.name : `${file.name}, line ${error.line}`;
      const state = error.code === undefined ? "" : ` (SQLSTATE ${error.code})`;
      throw new UserError(`init SQL ${place}: ${error.serverMessage}${state}`);
    }
  }
}
