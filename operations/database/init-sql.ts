import { createHash } from "node:crypto";
import { identifier, literal } from "../sql.ts";
import { SqlError } from "../superuser/sql-error.ts";
import { queryAsSuperuser, runAsSuperuser } from "../superuser.ts";
import type { Target } from "../target.ts";
import { UserError } from "../user-error.ts";
import { type DatabaseSpecification, TECHNICAL_SCHEMA } from "./specification.ts";

/** A file of SQL that is run once in a database. */
export interface InitSqlFile {
  /** For messages. */
  readonly name: string;
  readonly sql: string;
}

/** A file may load a lot of data. */
const TIMEOUT_MILLISECONDS = 3_600_000;

/** What was run is kept in the database, so that a server made anew on its volume does not run it again. */
const DONE = `${identifier(TECHNICAL_SCHEMA)}.init_sql`;

/**
 * Runs the files that this database has not seen yet, in order, each in one transaction, in a superuser's session that
 * has taken the administrator's role: what they make belongs to it. The first error ends everything.
 *
 * @throws UserError naming file, line and the server's message.
 */
export async function runInitSql(
  target: Target,
  database: DatabaseSpecification,
  files: readonly InitSqlFile[],
): Promise<void> {
  if (files.length === 0) return;
  const done = await filesDone(target, database);
  for (const file of files.filter(({ name }) => !done.has(name))) {
    try {
      await runAsSuperuser(target, file.sql, {
        database: database.name,
        role: database.administrator,
        singleTransaction: true,
        finally: markDone(file),
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

async function filesDone(target: Target, database: DatabaseSpecification): Promise<ReadonlySet<string>> {
  await runAsSuperuser(
    target,
    `CREATE SCHEMA IF NOT EXISTS ${identifier(TECHNICAL_SCHEMA)} AUTHORIZATION ${identifier(database.administrator)};
CREATE TABLE IF NOT EXISTS ${DONE} (name text PRIMARY KEY, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now());
ALTER TABLE ${DONE} OWNER TO ${identifier(database.administrator)};
COMMENT ON TABLE ${DONE} IS ${literal("The init SQL files that were run in this database")};`,
    { database: database.name, singleTransaction: true },
  );
  const rows = await queryAsSuperuser<{ name: string }>(target, `SELECT name FROM ${DONE}`, {
    database: database.name,
  });
  return new Set(rows.map(({ name }) => name));
}

/** Whatever role the file has left the session in. */
function markDone({ name, sql }: InitSqlFile): string {
  const sha256 = createHash("sha256").update(sql).digest("hex");
  return `RESET SESSION AUTHORIZATION; RESET ROLE; INSERT INTO ${DONE} (name, sha256) VALUES (${literal(name)}, ${literal(sha256)})`;
}
