/** A statement that the server refused, or a session that it refused. */
export class SqlError extends Error {
  override readonly name = "SqlError";
  /** SQLSTATE, for example `42501`; undefined where psql does not tell it. */
  readonly code: string | undefined;
  /** Line of the SQL, counted from 1; undefined when no statement was reached. */
  readonly line: number | undefined;
  /** The server's own words. */
  readonly serverMessage: string;

  constructor(serverMessage: string, code: string | undefined, line: number | undefined) {
    const place = line === undefined ? "" : `line ${line}: `;
    super(`${place}${serverMessage}${code === undefined ? "" : ` (SQLSTATE ${code})`}`);
    this.serverMessage = serverMessage;
    this.code = code;
    this.line = line;
  }
}

/** `psql:<stdin>:3: ERROR:  42P01: relation "a" does not exist`, with VERBOSITY=verbose; no place for a command's. */
const STATEMENT = /^(?:psql:<stdin>:(\d+): )?(?:ERROR|FATAL|PANIC): {2}([0-9A-Z]{5}): (.*)$/m;
/** `psql:<stdin>:3: error: …` and `psql: error: …`: psql's own words. */
const PROGRAM = /^psql:(?:<stdin>:(\d+):)? ?(?:error|fatal): (.*)$/im;
/** Sign-ins that are refused carry no SQLSTATE in psql; these are told apart by callers. */
const CONNECTION_CODES: readonly (readonly [RegExp, string])[] = [
  [/FATAL: {2}database ".*" does not exist/s, "3D000"],
  [/FATAL: {2}role ".*" does not exist/s, "28000"],
  [/FATAL: {2}the database system is /, "57P03"],
  [/FATAL: {2}sorry, too many clients already/, "53300"],
  [/FATAL: {2}remaining connection slots are reserved/, "53300"],
];

/** What psql said on its standard error, without the statement that it may quote after the message. */
export function sqlError(stderr: string, exitCode: number): SqlError {
  const statement = STATEMENT.exec(stderr);
  if (statement !== null) {
    const line = statement[1] === undefined ? undefined : Number(statement[1]);
    return new SqlError(statement[3] ?? "", statement[2], line);
  }
  const program = PROGRAM.exec(stderr);
  if (program !== null) {
    const message =
      (/FATAL: {2}(.*)/.exec(stderr) ?? program)[program[2]?.includes("FATAL:  ") ? 1 : 2] ?? "";
    const code = CONNECTION_CODES.find(([pattern]) => pattern.test(stderr))?.[1];
    return new SqlError(message.trim(), code, program[1] === undefined ? undefined : Number(program[1]));
  }
  return new SqlError(
    stderr.trim().split("\n")[0] || `psql ended with exit code ${exitCode}`,
    undefined,
    undefined,
  );
}
