import { createHash } from "node:crypto";
import { identifier, literal } from "../sql.ts";
import { SqlError } from "../superuser/sql-error.ts";
import { runAsSuperuser } from "../superuser.ts";
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
/** A code of our own. */
const WAS_DONE = "PGS01";
/** Runs take turns by a table that only a superuser can lock: an advisory lock any role could take, and keep for ever. */
const TAKE_TURN = "LOCK TABLE pg_catalog.pg_seclabel IN SHARE UPDATE EXCLUSIVE MODE";

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
  if (files.length > 0) await prepareRecord(target, database);
  for (const file of files) {
    try {
      await runAsSuperuser(target, file.sql, {
        database: database.name,
        role: database.administrator,
        singleTransaction: true,
        before: refuseDone(file, database.administrator),
        after: markDone(file),
        logged: true,
        timeoutMilliseconds: TIMEOUT_MILLISECONDS,
      });
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      if (error.code === WAS_DONE) continue;
      const place = error.line === undefined ? file.name : `${file.name}, line ${error.line}`;
      const state = error.code === undefined ? "" : ` (SQLSTATE ${error.code})`;
      throw new UserError(`init SQL ${place}: ${error.serverMessage}${state}`);
    }
  }
}

async function prepareRecord(target: Target, database: DatabaseSpecification): Promise<void> {
  const administrator = identifier(database.administrator);
  await runAsSuperuser(
    target,
    `${TAKE_TURN};
CREATE SCHEMA IF NOT EXISTS ${identifier(TECHNICAL_SCHEMA)} AUTHORIZATION ${administrator};
CREATE TABLE IF NOT EXISTS ${DONE} (name text PRIMARY KEY, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now());
ALTER TABLE ${DONE} OWNER TO ${administrator};
COMMENT ON TABLE ${DONE} IS ${literal("The init SQL files that were run in this database")};`,
    { database: database.name, singleTransaction: true },
  );
}

/** Waits for a run that was killed while its SQL was at work, then looks. */
function refuseDone({ name }: InitSqlFile, administrator: string): string {
  const message = literal("this file was run before");
  const turn = `SET LOCAL ROLE NONE; ${TAKE_TURN}; SET LOCAL ROLE ${identifier(administrator)}`;
  return `${turn}; DO ${literal(`BEGIN
  IF EXISTS (SELECT FROM ${DONE} WHERE name = ${literal(name)}) THEN
    RAISE EXCEPTION USING MESSAGE = ${message}, ERRCODE = ${literal(WAS_DONE)};
  END IF;
END`)}`;
}

/** Whatever role the file has left the session in. */
function markDone({ name, sql }: InitSqlFile): string {
  const sha256 = createHash("sha256").update(sql).digest("hex");
  return `RESET SESSION AUTHORIZATION; RESET ROLE; INSERT INTO ${DONE} (name, sha256) VALUES (${literal(name)}, ${literal(sha256)})`;
}
