import { Readable } from "node:stream";
import type { Login } from "../../agent/sql.ts";
import { streamInContainer } from "../execute/stream.ts";
import { sqlError } from "../superuser/sql-error.ts";
import { psqlExecution } from "../superuser.ts";
import type { Target } from "../target.ts";
import { UserError } from "../user-error.ts";
import { snapshotSql } from "./snapshot-sql.ts";

/** An SQL file, and where it is loaded. */
export interface Load {
  readonly database: string;
  /** Path of the file. */
  readonly file: string;
  /** For messages. */
  readonly name: string;
  /** Who signs in. */
  readonly login: Login;
}

/** `nobody`: psql's own commands (`\!`, `\connect`) must not be the system's user whom the server knows as the superuser. */
const UNPRIVILEGED_USER = "65534:65534";
const INSUFFICIENT_PRIVILEGE = "42501";
const DUPLICATE_OBJECT = "42710";
const LONGEST_COMPLAINT = 64 * 1024;
const LONGEST_STATEMENT = 120;

/**
 * Runs an SQL file in a database, all or nothing, as a login that is not superuser.
 *
 * @throws UserError with the statement, its line, and the server's message.
 */
export async function loadSql(target: Target, load: Load, signal?: AbortSignal): Promise<void> {
  const { database, file, name, login } = load;
  const { command, environment } = psqlExecution(target, {
    ...{ database, login, searchPath: '"$user", public', singleTransaction: true },
  });
  let said = "";
  const { exitCode } = await streamInContainer(
    target,
    {
      ...{ command: [...command, "--echo-errors"], user: UNPRIVILEGED_USER },
      ...(environment === undefined ? {} : { environment }),
      ...(signal === undefined ? {} : { signal }),
    },
    {
      input: Readable.from(snapshotSql(file)),
      onOutput: () => {},
      onError: (piece) => {
        said = fromError(said + String(piece));
      },
    },
  );
  if (exitCode !== 0) throw new UserError(`${name} cannot be loaded: ${reason(said, exitCode)}`);
}

/** The end of what psql said; once there is an error, its beginning: the statement that follows may be long. */
function fromError(said: string): string {
  const at = said.search(/^(?:psql:<stdin>:\d+: )?(?:ERROR|FATAL|PANIC): /m);
  return at < 0 ? said.slice(-LONGEST_COMPLAINT) : said.slice(at, at + LONGEST_COMPLAINT);
}

function reason(said: string, exitCode: number): string {
  const error = sqlError(said, exitCode);
  const [, statement] = /STATEMENT: {2}([\s\S]*)/.exec(said) ?? [];
  if (statement === undefined) return error.message;
  const whole = statement.replaceAll(/\s+/g, " ").trim();
  const shown = whole.length > LONGEST_STATEMENT ? `${whole.slice(0, LONGEST_STATEMENT)}…` : whole;
  return `${error.message}: ${shown}${advice(error.code, whole)}`;
}

function advice(code: string | undefined, statement: string): string {
  const extension = /^CREATE EXTENSION\b/i.test(statement);
  if (extension && code === DUPLICATE_OBJECT)
    return " (what only a superuser can make of pgstack:extensions is there already: write IF NOT EXISTS)";
  if (code !== INSUFFICIENT_PRIVILEGE) return "";
  return extension
    ? " (a snapshot is loaded without a superuser's rights: name the extension in pgstack:extensions, and run pulumi up)"
    : " (a snapshot is loaded without a superuser's rights: take out what only a superuser may do)";
}
