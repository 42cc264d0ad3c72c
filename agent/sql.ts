import { LONGEST_NAME_BYTES } from "./derived-name.ts";
import { Refusal } from "./failure.ts";
import { type ProgramResult, run } from "./program.ts";

/** How to reach a server: its socket's folder and port. */
export interface Server {
  readonly socketDirectory: string;
  readonly port: number;
  /** The system's user that its process must be of; anything else behind the socket is refused. Default: not looked at. */
  readonly peer?: string;
}

/** Who signs in: see `withLimitedLogin`, for everything that evaluates what users have made. */
export interface Login {
  readonly role: string;
  readonly password: string;
  /** It may keep triggers and rules of users from firing. Default: false. */
  readonly quietTriggers?: boolean;
}

/** How SQL is run. */
export interface SqlOptions {
  /** Default: `postgres`. */
  readonly database?: string;
  /** Default: the superuser, for what runs no code of users alone: catalogues, statements of ours. */
  readonly login?: Login;
  /** The statements hold a secret: nothing of them goes to the server's log. Default: false. */
  readonly secret?: boolean;
  readonly signal?: AbortSignal;
}

const SUPERUSER = "postgres";

/**
 * What decides how the server reads our SQL and writes its answers. Given by the client these values win over those of
 * ALTER DATABASE and ALTER ROLE, with which a database's owner would change the meaning of our statements:
 * https://www.postgresql.org/docs/16/config-setting.html
 */
const PINNED: Readonly<Record<string, string>> = {
  role: "none",
  search_path: "pg_catalog, pg_temp",
  standard_conforming_strings: "on",
  escape_string_warning: "off",
  backslash_quote: "safe_encoding",
  quote_all_identifiers: "off",
  transform_null_equals: "off",
  array_nulls: "on",
  row_security: "on",
  check_function_bodies: "on",
  local_preload_libraries: "",
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  default_table_access_method: "heap",
  default_tablespace: "",
  temp_tablespaces: "",
  createrole_self_grant: "",
  password_encryption: "scram-sha-256",
  synchronous_commit: "on",
  exit_on_error: "off",
  gin_fuzzy_search_limit: "0",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  extra_float_digits: "1",
  bytea_output: "hex",
  xmlbinary: "base64",
  xmloption: "content",
  lc_monetary: "C",
  lc_numeric: "C",
  lc_time: "C",
  client_min_messages: "notice",
  lock_timeout: "30s",
  statement_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  jit: "off",
};

/** Triggers, rules and event triggers that users have made do not fire: whoever is not superuser needs a grant for it. */
const QUIET_TRIGGERS: Readonly<Record<string, string>> = { session_replication_role: "replica" };

const QUIET: Readonly<Record<string, string>> = {
  log_statement: "none",
  log_min_error_statement: "panic",
  log_min_duration_statement: "-1",
  log_duration: "off",
};

/** The variables by which PostgreSQL's client programs reach a server over the socket. Every session has them. */
export function clientEnvironment(
  server: Server,
  database = "postgres",
  { login, secret = false }: Pick<SqlOptions, "login" | "secret"> = {},
): Record<string, string> {
  const settings = {
    ...PINNED,
    ...(login === undefined || login.quietTriggers === true ? QUIET_TRIGGERS : {}),
    ...(secret ? QUIET : {}),
  };
  return {
    PGHOST: server.socketDirectory,
    PGPORT: String(server.port),
    PGUSER: login?.role ?? SUPERUSER,
    ...(login === undefined ? {} : { PGPASSWORD: login.password }),
    PGDATABASE: requireWholeName(database),
    PGAPPNAME: "pgstack agent",
    ...(server.peer === undefined ? {} : { PGREQUIREPEER: server.peer }),
    PGCLIENTENCODING: "UTF8",
    PGCONNECT_TIMEOUT: "10",
    PGOPTIONS: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, "\\$&")}`)
      .join(" "),
  };
}

/**
 * The rows of one query, as JSON makes them: numbers beyond 2^53 should be cast to text.
 *
 * @param sql One SELECT, without a semicolon at its end.
 */
export async function query<Row>(server: Server, sql: string, options: SqlOptions = {}): Promise<Row[]> {
  const text = `SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (\n${sql}\n) AS q;\n`;
  return JSON.parse(await psql(server, text, options)) as Row[];
}

/** Runs SQL and returns what psql printed: rows without header and alignment. */
export async function psql(server: Server, sql: string, options: SqlOptions = {}): Promise<string> {
  const command = [
    "--no-psqlrc",
    "--quiet",
    "--no-align",
    "--tuples-only",
    "--no-password",
    "--set=ON_ERROR_STOP=1",
    "--file=-",
  ];
  const result = await run("psql", command, {
    environment: clientEnvironment(server, options.database, options),
    input: sql,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (result.exitCode !== 0) throw sqlFailure(result);
  return result.stdout;
}

function sqlFailure({ exitCode, stderr }: ProgramResult): Error {
  // 2: no connection came about.
  if (exitCode === 2 && /could not connect|connection to server/.test(stderr)) {
    return new Refusal(`the server does not answer: ${stderr.trim().split("\n")[0] ?? ""}`);
  }
  return new Error(
    stderr
      .trim()
      .replace(/^psql:\S*\s*/, "")
      .replaceAll(/\s*\n\s*/g, "; "),
  );
}

/** A name quoted for SQL. @throws Error for a name that the server would cut: it could then be another object's. */
export function quoteIdentifier(name: string): string {
  return `"${requireWholeName(name).replaceAll('"', '""')}"`;
}

function requireWholeName(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes <= LONGEST_NAME_BYTES) return name;
  throw new Error(
    `the name ${name} has ${bytes} bytes, and PostgreSQL would cut it to ${LONGEST_NAME_BYTES}: nothing was done with it`,
  );
}

/** A text quoted for SQL, right with standard_conforming_strings on and off. Text never goes into SQL in another way. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}
