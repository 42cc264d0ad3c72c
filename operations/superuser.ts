import type { Login } from "../agent/sql.ts";
import { SOCKET_DIRECTORY } from "./container-directories.ts";
import { type Execution, executeInContainer } from "./execute.ts";
import { sqlError } from "./superuser/sql-error.ts";
import type { Target } from "./target.ts";

export { SqlError } from "./superuser/sql-error.ts";

/** How SQL is run by {@link runAsSuperuser}. */
export interface SuperuserOptions {
  /** Default: `postgres`, which is there from the start. */
  readonly database?: string;
  /** All or nothing, also when the SQL is cut off on its way. Default: false. */
  readonly singleTransaction?: boolean;
  /** Statements before the SQL, in the same session and transaction. They are in the process list: no secrets. */
  readonly before?: string;
  /** The same, after the SQL, whatever that ends with. */
  readonly after?: string;
  /** Role whose privileges the session takes, by SET ROLE. Default: the login's own. */
  readonly role?: string;
  /** Who signs in, see `withLimitedLogin`; always logged. Default: the superuser, whose rights a SET ROLE gives back. */
  readonly login?: Login;
  /** Statements appear in the server's log as its settings say. Default: false, since they may hold verifiers. */
  readonly logged?: boolean;
  /** Default: 60,000. */
  readonly timeoutMilliseconds?: number;
}

/** The bootstrap superuser, and the user of that name in the container's operating system. */
export const SUPERUSER = "postgres";

/** psql as it is run for SQL of ours: no file of its user, bare rows, and an end at the first error. */
export const SUPERUSER_PSQL: readonly string[] = [
  ...["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"],
  ...["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose", "--set=SHOW_CONTEXT=never"],
];

/** Runs a program with the bytes of standard input, of which there must be as many as the first argument says. */
const WHOLE_INPUT = `input=$(mktemp) && trap 'rm -f "$input"' EXIT && cat >"$input" || exit 9
[ "$(wc -c <"$input")" -eq "$1" ] || { echo "the SQL did not arrive whole" >&2; exit 9; }
shift
"$@" <"$input"`;

/** Names resolve to PostgreSQL's own objects only, so that no role can slip one of its own into our statements. */
const OWN_SETTINGS: Readonly<Record<string, string>> = {
  search_path: "pg_catalog",
  client_min_messages: "warning",
  default_transaction_read_only: "off",
  lock_timeout: "30s",
  // Compiling our one large query would take longer than running it.
  jit: "off",
};
/** Nothing of the statements' text in the log, in pg_stat_activity or in pg_stat_statements. */
const QUIET_SETTINGS: Readonly<Record<string, string>> = {
  log_statement: "none",
  log_min_error_statement: "panic",
  log_min_duration_statement: "-1",
  log_min_duration_sample: "-1",
  log_transaction_sample_rate: "0",
  log_duration: "off",
  track_activities: "off",
  "pg_stat_statements.track": "none",
  "pg_stat_statements.track_utility": "off",
};

/**
 * Runs SQL through `psql` in the container, as the bootstrap superuser over the local socket: the only way in that
 * it has. The SQL goes by standard input, so that it is in no process list; psql's own commands work in it.
 *
 * @throws SqlError with the server's message, SQLSTATE and line, never the statement.
 */
export async function runAsSuperuser(
  target: Target,
  sql: string,
  options: SuperuserOptions = {},
): Promise<void> {
  await psql(target, sql, options);
}

/**
 * The rows of one query, as JSON makes them: numbers beyond 2^53 and timestamps should be cast to text.
 *
 * @param sql One SELECT (or other statement that a FROM clause takes), without a semicolon at its end.
 * @throws SqlError as {@link runAsSuperuser}.
 */
export async function queryAsSuperuser<Row>(
  target: Target,
  sql: string,
  options: Pick<SuperuserOptions, "database" | "login" | "timeoutMilliseconds"> = {},
): Promise<Row[]> {
  const query = `SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (\n${sql}\n) AS q;\n`;
  return JSON.parse(await psql(target, query, options)) as Row[];
}

/**
 * How `psql` is run in the container for SQL that is streamed to it, as the superuser unless another signs in.
 *
 * @param searchPath Where names resolve: SQL of the user's own counts on more than PostgreSQL's objects.
 */
export function psqlExecution(
  target: Target,
  options: Pick<SuperuserOptions, "login"> & {
    readonly database: string;
    readonly searchPath: string;
    readonly singleTransaction: boolean;
  },
): Pick<Execution, "command" | "environment"> {
  const variables = superuserEnvironment(target, options);
  return {
    command: [...SUPERUSER_PSQL, ...(options.singleTransaction ? ["--single-transaction"] : []), "--file=-"],
    environment: {
      ...variables,
      PGOPTIONS: `${variables.PGOPTIONS} -c search_path=${options.searchPath.replaceAll(/[\\\s]/g, "\\$&")}`,
    },
  };
}

/**
 * Like {@link runAsSuperuser}, and returns what psql printed: rows without header and alignment.
 *
 * @throws SqlError as {@link runAsSuperuser}.
 */
export async function psql(target: Target, sql: string, options: SuperuserOptions): Promise<string> {
  const { before, after, singleTransaction = false } = options;
  const command = [
    ...SUPERUSER_PSQL,
    ...(singleTransaction ? ["--single-transaction"] : []),
    ...(before === undefined ? [] : [`--command=${before}`]),
    "--file=-",
    ...(after === undefined ? [] : [`--command=${after}`]),
  ];
  const { exitCode, stdout, stderr } = await executeInContainer(target, {
    // psql takes the end of a connection that broke for the end of the SQL, and would commit the first part.
    command: singleTransaction
      ? ["sh", "-c", WHOLE_INPUT, "psql", String(Buffer.byteLength(sql)), ...command]
      : command,
    environment: superuserEnvironment(target, options),
    user: SUPERUSER,
    input: sql,
    ...(options.timeoutMilliseconds === undefined
      ? {}
      : { timeoutMilliseconds: options.timeoutMilliseconds }),
  });
  if (exitCode !== 0) throw sqlError(stderr, exitCode);
  return stdout;
}

/** Environment of such a psql. The database's name is in it: in an argument psql would read `a=b` as a connection string. */
export function superuserEnvironment(
  target: Target,
  options: SuperuserOptions,
): Record<string, string> & { readonly PGOPTIONS: string } {
  const settings = {
    ...(options.role === undefined ? OWN_SETTINGS : { role: options.role }),
    ...(options.logged === true || options.login !== undefined ? {} : QUIET_SETTINGS),
  };
  return {
    LC_ALL: "C",
    PGHOST: SOCKET_DIRECTORY,
    PGPORT: String(target.port),
    PGUSER: options.login?.role ?? SUPERUSER,
    ...(options.login === undefined ? {} : { PGPASSWORD: options.login.password }),
    PGDATABASE: options.database ?? "postgres",
    PGAPPNAME: "pgstack",
    PGCLIENTENCODING: "UTF8",
    PGCONNECT_TIMEOUT: "10",
    PGOPTIONS: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, "\\$&")}`)
      .join(" "),
  };
}
