import { createHash } from "node:crypto";
import type { Login } from "../../agent/sql.ts";
import { identifier, literal } from "../sql.ts";
import { withLimitedLogin } from "../superuser/limited-login.ts";
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
/** A code of our own. */
const WAS_DONE = "PGS01";
/** Makers of the record take turns by a table that only a superuser can lock. */
const TAKE_TURN = "LOCK TABLE pg_catalog.pg_seclabel IN SHARE UPDATE EXCLUSIVE MODE";

/**
 * Runs the files that this database has not seen yet, in order, each in one transaction, in a session that has taken the
 * administrator's role: what they make belongs to it. It is none of a superuser's, which a trigger or function of the
 * administrator could get back by SET ROLE. The first error ends everything.
 *
 * @throws UserError naming file, line and the server's message.
 */
export async function runInitSql(
  target: Target,
  database: DatabaseSpecification,
  files: readonly InitSqlFile[],
): Promise<void> {
  if (files.length === 0) return;
  await withLimitedLogin(target, database.name, async (login) => {
    await prepareRecord(target, database, login);
    for (const file of files) await runFile(target, database, file, login);
  });
}

async function runFile(
  target: Target,
  { name, administrator }: DatabaseSpecification,
  file: InitSqlFile,
  login: Login,
): Promise<void> {
  try {
    await runAsSuperuser(target, file.sql, {
      ...{ database: name, login, role: administrator },
      singleTransaction: true,
      before: refuseDone(file, administrator),
      after: markDone(file),
      timeoutMilliseconds: TIMEOUT_MILLISECONDS,
    });
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    if (error.code === WAS_DONE) return;
    const place = error.line === undefined ? file.name : `${file.name}, line ${error.line}`;
    const state = error.code === undefined ? "" : ` (SQLSTATE ${error.code})`;
    throw new UserError(`init SQL ${place}: ${error.serverMessage}${state}`);
  }
}

interface Done {
  readonly name: string;
  readonly sha256: string;
  readonly at: string;
}

/**
 * The record belongs to the superuser. One that belongs to another, as in earlier versions, may bear triggers, rules and more
 * of that one: what it says is read without a superuser's rights, and put into one that is made anew.
 */
async function prepareRecord(
  target: Target,
  { name: database, administrator }: DatabaseSpecification,
  login: Login,
): Promise<void> {
  const [found] = await queryAsSuperuser<{ foreign: boolean }>(
    target,
    `SELECT relowner <> 10 AS "foreign" FROM pg_class WHERE oid = to_regclass(${literal(DONE)})`,
    { database },
  );
  const foreign = found?.foreign === true;
  const known = foreign
    ? await queryAsSuperuser<Done>(target, `SELECT name::text, sha256::text, at::text FROM ${DONE}`, {
        ...{ database, login },
      })
    : [];
  const row = ({ name, sha256, at }: Done): string =>
    `INSERT INTO ${DONE} VALUES (${[name, sha256, at].map(literal).join(", ")}) ON CONFLICT DO NOTHING;`;
  await runAsSuperuser(
    target,
    `${TAKE_TURN};
CREATE SCHEMA IF NOT EXISTS ${identifier(TECHNICAL_SCHEMA)} AUTHORIZATION ${identifier(administrator)};
${foreign ? `DROP TABLE ${DONE};` : ""}
CREATE TABLE IF NOT EXISTS ${DONE} (name text PRIMARY KEY, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE ${DONE} IS ${literal("The init SQL files that were run in this database")};
${known.map(row).join("\n")}`,
    { database, singleTransaction: true },
  );
}

/** Runs take turns by the record; one that was killed while its SQL was at work is waited for. */
function refuseDone({ name }: InitSqlFile, administrator: string): string {
  const turn = `LOCK TABLE ${DONE} IN SHARE UPDATE EXCLUSIVE MODE`;
  return `SET LOCAL ROLE NONE; ${turn}; DO ${literal(`BEGIN
  IF EXISTS (SELECT FROM ${DONE} WHERE name = ${literal(name)}) THEN
    RAISE EXCEPTION USING MESSAGE = ${literal("this file was run before")}, ERRCODE = ${literal(WAS_DONE)};
  END IF;
END`)}; SET LOCAL ROLE ${identifier(administrator)}`;
}

/** Whatever role the file has left the session in. */
function markDone({ name, sql }: InitSqlFile): string {
  const sha256 = createHash("sha256").update(sql).digest("hex");
  return `SET ROLE NONE; INSERT INTO ${DONE} (name, sha256) VALUES (${literal(name)}, ${literal(sha256)})`;
}
