import { Refusal } from "./failure.ts";
import { type ProgramResult, run } from "./program.ts";

/** How to reach a server: its socket's folder and port. */
export interface Server {
  readonly socketDirectory: string;
  readonly port: number;
}

/** How SQL is run. */
export interface SqlOptions {
  /** Default: `postgres`. */
  readonly database?: string;
  readonly signal?: AbortSignal;
}

const SUPERUSER = "postgres";

/** The variables by which PostgreSQL's client programs reach a server as the superuser, over the socket. */
export function clientEnvironment(server: Server, database = "postgres"): Record<string, string> {
  return {
    PGHOST: server.socketDirectory,
    PGPORT: String(server.port),
    PGUSER: SUPERUSER,
    PGDATABASE: database,
    PGAPPNAME: "pgstack agent",
    PGCLIENTENCODING: "UTF8",
    PGCONNECT_TIMEOUT: "10",
    PGOPTIONS: "-c search_path=pg_catalog -c lock_timeout=30s -c statement_timeout=0 -c jit=off",
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
    "--set=ON_ERROR_STOP=1",
    "--file=-",
  ];
  const result = await run("psql", command, {
    environment: clientEnvironment(server, options.database),
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

/** A name quoted for SQL. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text quoted for SQL. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}
