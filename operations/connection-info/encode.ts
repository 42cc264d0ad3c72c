/** Libpq's parameter keywords with their values, in the order in which they are written. */
export type ConnectionParameters = Readonly<Partial<Record<ConnectionKeyword, string>>>;

type ConnectionKeyword =
  | "host"
  | "hostaddr"
  | "port"
  | "dbname"
  | "user"
  | "password"
  | "sslmode"
  | "sslrootcert";

/** Environment variable of each keyword: https://www.postgresql.org/docs/16/libpq-envars.html */
const VARIABLES: Readonly<Record<ConnectionKeyword, string>> = {
  host: "PGHOST",
  hostaddr: "PGHOSTADDR",
  port: "PGPORT",
  dbname: "PGDATABASE",
  user: "PGUSER",
  password: "PGPASSWORD",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
};

/** A URI as libpq reads it: https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-CONNSTRING-URIS */
export function connectionUrl(parameters: ConnectionParameters): string {
  const { host = "", port, dbname = "", user = "", password, ...rest } = parameters;
  const secret = password === undefined ? "" : `:${encode(password)}`;
  const place = `${bracketed(host)}${port === undefined ? "" : `:${port}`}`;
  const query = Object.entries(rest).map(([keyword, value]) => `${keyword}=${encode(value)}`);
  const options = query.length === 0 ? "" : `?${query.join("&")}`;
  return `postgresql://${encode(user)}${secret}@${place}/${encodePath(dbname)}${options}`;
}

/** Keywords and values: https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE */
export function keywordString(parameters: ConnectionParameters): string {
  const quoted = (value: string) =>
    /^[^\s'\\]+$/.test(value) ? value : `'${value.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`;
  return Object.entries(parameters)
    .map(([keyword, value]) => `${keyword}=${quoted(value)}`)
    .join(" ");
}

/**
 * A URL for the Java driver, which knows no `hostaddr`: the host's name must resolve where Java runs, as it does on
 * the stack's network. https://jdbc.postgresql.org/documentation/use/
 */
export function jdbcUrl(parameters: ConnectionParameters): string {
  const { host = "", port = "5432", dbname = "", user, password, sslmode, sslrootcert } = parameters;
  const query = Object.entries({ user, password, sslmode, sslrootcert })
    // The Java driver takes the machine's authorities by a factory, not by this libpq name.
    .filter(([keyword, value]) => value !== undefined && !(keyword === "sslrootcert" && value === "system"))
    .map(([keyword, value]) => `${keyword}=${encode(value ?? "")}`);
  if (sslrootcert === "system") query.push("sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory");
  return `jdbc:postgresql://${bracketed(host)}:${port}/${encode(dbname)}?${query.join("&")}`;
}

/** Environment variables that libpq, and most drivers beside it, read. */
export function connectionEnvironment(parameters: ConnectionParameters): Record<string, string> {
  const entries = Object.entries(parameters) as [ConnectionKeyword, string][];
  return Object.fromEntries(entries.map(([keyword, value]) => [VARIABLES[keyword], value]));
}

/** A value as one word for a POSIX shell, whatever it holds. */
export function shellWord(value: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

/** Every character but letters, digits, `-`, `_`, `.` and `~` as `%XX` of its UTF-8 bytes. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** In a path these characters may stand for themselves, and some drivers do not decode them there. */
function encodePath(text: string): string {
  return encode(text).replaceAll(/%(?:3B|3A|40|26|3D|2B|24|2C)/g, (code) => decodeURIComponent(code));
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
