import { DEFAULT_PARAMETERS, type ParameterValue, PRELOADED_LIBRARIES } from "./postgresql-conf/defaults.ts";
import { ALLOWED_VALUES, OWNED_PARAMETERS } from "./postgresql-conf/owned-parameters.ts";
import { UserError } from "./user-error.ts";

export { DEFAULT_PARAMETERS, type ParameterGroup, type ParameterValue } from "./postgresql-conf/defaults.ts";
export { OWNED_PARAMETERS } from "./postgresql-conf/owned-parameters.ts";
export {
  NEWER_POSTMASTER_PARAMETERS,
  needsRestart,
  POSTMASTER_PARAMETERS,
} from "./postgresql-conf/postmaster-parameters.ts";

/** Where the configuration volume is mounted in the server's container. */
export const CONFIGURATION_DIRECTORY = "/etc/pgstack";
/** Stanza of the cluster in pgBackRest's repositories. */
export const STANZA = "main";
/** The server calls it with each file of the write-ahead log that is complete. pgBackRest looks for its own name in it. */
export const ARCHIVE_COMMAND = `sh ${CONFIGURATION_DIRECTORY}/pgbackrest-handover.sh "%f"`;
/** Names of the files in the configuration volume. */
export const CONFIGURATION_FILES = {
  postgresqlConf: "postgresql.conf",
  pgHba: "pg_hba.conf",
  archiveScript: "pgbackrest-handover.sh",
  certificate: "tls/server.crt",
  key: "tls/server.key",
  authority: "tls/ca.crt",
} as const;
/** Folder of the server's log files, below the data directory. */
export const LOG_DIRECTORY = "log";

/** What {@link renderPostgresqlConf} needs besides the parameters. */
export interface PostgresqlConfOptions {
  /** Serve TLS from `tls/server.crt` and `tls/server.key` of the configuration volume. */
  readonly tls: boolean;
  /** Archive the write-ahead log, a segment that is not full after this long. Default: no archive. */
  readonly archiveTimeoutSeconds?: number;
  /** Port inside the container. Default: 5432. */
  readonly port?: number;
  /** How errors name the parameter. Default: `serverSettings.<name>`. */
  readonly settingName?: (parameter: string) => string;
}

const PARAMETER_NAME = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/;
/** PostgreSQL cuts a custom parameter's name at 63 bytes. */
const LONGEST_NAME = 63;
/** Far above any sensible value; keeps a mistaken file content out of the configuration. */
const LONGEST_VALUE = 8_192;

/**
 * The text of postgresql.conf: the stack's own parameters, then the defaults with the given ones in their place,
 * then the given ones that have no default, sorted by name. The same input always gives the same text.
 *
 * Every value is quoted, so quotes, semicolons or `$()` in it are plain text to the server. `shared_preload_libraries`
 * given by the user are added to those that the stack needs.
 *
 * @param parameters Server parameters by name; they replace the defaults.
 * @throws UserError for a name that is none, a parameter that the stack sets itself, and a value that no line holds.
 */
export function renderPostgresqlConf(
  parameters: Readonly<Record<string, ParameterValue>>,
  options: PostgresqlConfOptions,
): string {
  const settingName = options.settingName ?? ((name: string) => `serverSettings.${name}`);
  const given = new Map(
    Object.entries(parameters).map(([name, value]) => {
      const known = checkParameter(name, value, settingName(name));
      return [known, known === "shared_preload_libraries" ? withPreloadedLibraries(value) : value] as const;
    }),
  );
  const lines = ["# Written by the stack; a change made here by hand is replaced at the next run.", ""];
  const add = (name: string, value: ParameterValue): unknown =>
    lines.push(`${name} = ${quoteValue(value, settingName(name))}`);
  lines.push("# The stack's own");
  for (const [name, value] of ownParameters(options)) {
    add(name, given.get(name) ?? value);
    given.delete(name);
  }
  for (const group of DEFAULT_PARAMETERS) {
    lines.push("", `# ${group.heading}`);
    for (const { name, value, note } of group.parameters) {
      if (note !== undefined) lines.push(`# ${note}`);
      add(name, given.get(name) ?? value);
      given.delete(name);
    }
  }
  if (given.size > 0) lines.push("", "# From the stack's settings");
  for (const name of [...given.keys()].sort()) add(name, given.get(name) ?? "");
  return `${lines.join("\n")}\n`;
}

/**
 * Checks one parameter of the user's settings.
 *
 * @returns The parameter's name in lower case: PostgreSQL does not tell the cases apart.
 * @throws UserError naming the setting.
 */
export function checkParameter(
  name: string,
  value: ParameterValue,
  setting = `serverSettings.${name}`,
): string {
  const lower = name.toLowerCase();
  if (!PARAMETER_NAME.test(lower) || lower.length > LONGEST_NAME) {
    throw new UserError(
      `${oneLine(setting)} is not a PostgreSQL parameter: a name such as work_mem or auto_explain.log_min_duration is needed`,
    );
  }
  const reason = OWNED_PARAMETERS.get(lower);
  if (reason !== undefined)
    throw new UserError(`${setting} is set by the stack itself (${reason}): remove it`);
  quoteValue(value, setting);
  const allowed = ALLOWED_VALUES.get(lower);
  if (allowed !== undefined && !allowed.some((one) => one.toLowerCase() === String(value).toLowerCase())) {
    throw new UserError(`${setting} must be one of ${allowed.filter((one) => one !== "").join(", ")}`);
  }
  return lower;
}

/** A value as postgresql.conf writes it, in quotes. */
function quoteValue(value: ParameterValue, setting: string): string {
  if (typeof value === "boolean") return value ? "'on'" : "'off'";
  if (typeof value === "number" && !Number.isFinite(value)) throw new UserError(`${setting} is not a number`);
  const text = String(value);
  if (text.length > LONGEST_VALUE) {
    throw new UserError(`${setting} is ${text.length} characters long; at most ${LONGEST_VALUE} are allowed`);
  }
  if (hasControlCharacter(text)) {
    throw new UserError(
      `${setting} holds a line break or another control character; a value is one line of text`,
    );
  }
  // A lone surrogate has no UTF-8 form and would be stored as another value than the one given.
  if (!text.isWellFormed()) throw new UserError(`${setting} is not valid Unicode text`);
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

function ownParameters(options: PostgresqlConfOptions): [string, ParameterValue][] {
  const file = (name: keyof typeof CONFIGURATION_FILES): string =>
    `${CONFIGURATION_DIRECTORY}/${CONFIGURATION_FILES[name]}`;
  const tls: [string, ParameterValue][] = options.tls
    ? [
        ["ssl", true],
        ["ssl_cert_file", file("certificate")],
        ["ssl_key_file", file("key")],
        ["ssl_min_protocol_version", "TLSv1.2"],
        ["ssl_prefer_server_ciphers", true],
        // For TLS 1.2; those of TLS 1.3 are all of this kind: fresh keys for each connection, authenticated encryption.
        ["ssl_ciphers", "ECDHE+AESGCM:ECDHE+CHACHA20"],
      ]
    : [["ssl", false]];
  return [
    ["listen_addresses", "*"],
    ["port", options.port ?? 5432],
    ["hba_file", file("pgHba")],
    ["unix_socket_directories", "/var/run/postgresql"],
    ["password_encryption", "scram-sha-256"],
    ...tls,
    ...archiveParameters(options),
    ["logging_collector", true],
    ["log_destination", "stderr"],
    ["log_directory", LOG_DIRECTORY],
    ["log_file_mode", "0600"],
  ];
}

/** https://www.postgresql.org/docs/16/continuous-archiving.html */
function archiveParameters({ archiveTimeoutSeconds }: PostgresqlConfOptions): [string, ParameterValue][] {
  if (archiveTimeoutSeconds === undefined) return [["archive_mode", false]];
  return [
    ["archive_mode", true],
    ["archive_command", ARCHIVE_COMMAND],
    ["archive_timeout", `${archiveTimeoutSeconds}s`],
  ];
}

function withPreloadedLibraries(value: ParameterValue): string {
  const asked = String(value)
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return [...new Set([...PRELOADED_LIBRARIES, ...asked])].join(",");
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/** A name from outside as it may stand in a message: short and on one line. */
function oneLine(text: string): string {
  const line = text.replaceAll(/\p{Cc}/gu, "?");
  return line.length > 80 ? `${line.slice(0, 80)}…` : line;
}
