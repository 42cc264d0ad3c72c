import { isIP } from "node:net";
import { LONGEST_NAME_BYTES } from "../agent/derived-name.ts";
import { LIMITED_LOGIN_PREFIX } from "../agent/limited-login.ts";
import { SUPERUSER } from "./superuser.ts";
import { UserError } from "./user-error.ts";

/** What {@link renderPgHba} writes lines for. */
export interface PgHbaOptions {
  /** The application's database. */
  readonly database: string;
  /** Role that may sign in to every database. */
  readonly administrator: string;
  /** Role that may sign in to the application's database. */
  readonly application: string;
  /** Role that may sign in to the application's database. */
  readonly readonly: string;
  /** Refuse every connection over TCP that is not encrypted. */
  readonly tls: boolean;
  /** Networks that clients come from, in CIDR notation. Default: every one, since the network is the stack's own. */
  readonly clientAddresses?: readonly string[];
  /** Databases that tests are given, as a pattern: the application's roles may sign in to those too. Default: none. */
  readonly testDatabases?: string;
}

const EVERYWHERE: readonly string[] = ["0.0.0.0/0", "::/0"];
/** Health probes and the tunnel for remote engines come from inside the container. */
const LOOPBACK: readonly string[] = ["127.0.0.1/32", "::1/128"];

/**
 * The text of pg_hba.conf. The first line that fits a connection decides, so refusals stand before grants, and the
 * last line refuses the rest. Over TCP the only method is scram-sha-256.
 * https://www.postgresql.org/docs/16/auth-pg-hba-conf.html
 *
 * @throws UserError for a name or a network that no line can hold.
 */
export function renderPgHba(options: PgHbaOptions): string {
  const administrator = quoteName(options.administrator, "administrator");
  const clients = [quoteName(options.application, "application"), quoteName(options.readonly, "readonly")];
  const database = quoteName(options.database, "database");
  const addresses = [...new Set([...LOOPBACK, ...(options.clientAddresses ?? EVERYWHERE).map(checkNetwork)])];
  const type = options.tls ? "hostssl" : "host";
  const grant = (databases: string, role: string): string[] =>
    addresses.map((address) => line(type, databases, role, address, "scram-sha-256"));

  return `${[
    "# Written by the stack; a change made here by hand is replaced at the next run.",
    heading("TYPE", "DATABASE", "USER", "ADDRESS", "METHOD"),
    "",
    "# Physical replication, to nobody: the word all for databases does not cover it. Connections that ask for",
    "# replication=database match the lines of that database; the server refuses those to roles without REPLICATION.",
    line("local", "replication", "all", "", "reject"),
    line("host", "replication", "all", "all", "reject"),
    "",
    "# The superuser: from inside the container by the socket, as the operating system's user of the same name.",
    line("local", "all", `"${SUPERUSER}"`, "", "peer"),
    line("host", "all", `"${SUPERUSER}"`, "all", "reject"),
    "",
    "# What the agent signs in as to read and load what users have made, with a password for each run: by the socket alone.",
    line("local", "all", `"/^${LIMITED_LOGIN_PREFIX}"`, "", "scram-sha-256"),
    line("host", "all", `"/^${LIMITED_LOGIN_PREFIX}"`, "all", "reject"),
    "",
    ...(options.tls
      ? ["# TLS is on: nothing goes over plain TCP.", line("hostnossl", "all", "all", "all", "reject"), ""]
      : []),
    "# The stack's roles, each to what it works on.",
    line("local", "all", administrator, "", "scram-sha-256"),
    ...clients.map((role) => line("local", database, role, "", "scram-sha-256")),
    ...grant("all", administrator),
    ...clients.flatMap((role) => grant(database, role)),
    ...(options.testDatabases === undefined
      ? []
      : [
          "",
          "# The databases that tests are given: the slash begins a pattern.",
          ...clients.flatMap((role) => grant(`"${options.testDatabases}"`, role)),
        ]),
    "",
    "# Everything else.",
    line("local", "all", "all", "", "reject"),
    line("host", "all", "all", "all", "reject"),
  ].join("\n")}\n`;
}

/** A name in quotes, so that `all`, `replication`, `+group` and `@file` are plain names. */
function quoteName(name: string, setting: string): string {
  if (
    name === "" ||
    Buffer.byteLength(name) > LONGEST_NAME_BYTES ||
    /\p{Cc}/u.test(name) ||
    !name.isWellFormed()
  ) {
    throw new UserError(`${setting} must be a name of 1 to ${LONGEST_NAME_BYTES} bytes on one line`);
  }
  // PostgreSQL takes what begins with a slash for a regular expression, also in quotes.
  if (name.startsWith("/")) throw new UserError(`${setting} must not begin with a slash`);
  if (setting !== "database" && name === SUPERUSER) {
    throw new UserError(`${setting} must not be ${SUPERUSER}, the superuser's name`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}

function checkNetwork(network: string): string {
  const [address = "", prefix = "", ...rest] = network.split("/");
  const longest = isIP(address) === 4 ? 32 : isIP(address) === 6 && !address.includes("%") ? 128 : -1;
  if (longest === -1 || rest.length > 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > longest) {
    const shown = network.slice(0, 60).replaceAll(/\p{Cc}/gu, "?");
    throw new UserError(`clientAddresses: "${shown}" is not a network such as 10.1.0.0/16 or fd00::/8`);
  }
  return `${address}/${Number(prefix)}`;
}

function line(type: string, database: string, user: string, address: string, method: string): string {
  const columns = [type.padEnd(9), database.padEnd(15), user.padEnd(15), address.padEnd(18)];
  return `${columns.join(" ")} ${method}`;
}

function heading(...columns: [string, string, string, string, string]): string {
  return `# ${line(...columns).slice(2)}`;
}
