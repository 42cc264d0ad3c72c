import type { ServerAddress } from "./connection.ts";
import {
  type ConnectionParameters,
  connectionEnvironment,
  connectionUrl,
  jdbcUrl,
  keywordString,
  shellWord,
} from "./connection-info/encode.ts";
import type { RoleKind } from "./roles.ts";
import type { Credential, ServerTrust, Target } from "./target.ts";
import { UserError } from "./user-error.ts";
import { writeWhole } from "./write-whole.ts";

/** Stands where a password would, as long as nobody asks for it. */
export const MASKED_PASSWORD = "********";

/** What {@link connectionInfo} puts together. */
export interface ConnectionInfoOptions {
  /** Which of the three roles the credential belongs to. */
  readonly role: RoleKind;
  readonly credential: Credential;
  /** Undefined: TLS is off. */
  readonly trust: ServerTrust | undefined;
  /** What `serverAddress` returns. */
  readonly address: ServerAddress;
  /** Path of the authority's certificates, as a client on this machine names it. Needed when trust has an authority. */
  readonly authorityFile?: string;
  /** Default: false. */
  readonly showSecrets?: boolean;
}

/** Everything that a client needs to connect, in the forms that clients take. */
export interface ConnectionInfo {
  readonly stack: string;
  readonly role: RoleKind;
  /** The name to connect to: the one in the server's certificate when TLS is on. */
  readonly host: string;
  /** Address of that name, where it need not resolve. Absent when the host is an address, or reached only by tunnel. */
  readonly hostaddr?: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** {@link MASKED_PASSWORD} unless secrets are shown. */
  readonly password: string;
  readonly sslmode: "verify-full" | "disable";
  /** Path of the authority's certificates; `system` for those of the machine. */
  readonly sslrootcert?: string;
  readonly url: string;
  readonly keywords: string;
  readonly jdbcUrl: string;
  /** Variables for libpq; without PGPASSWORD unless secrets are shown. */
  readonly environment: Readonly<Record<string, string>>;
  /** From where these values work. */
  readonly reachableFrom: string;
}

/**
 * The connection values of one role (P8), password masked unless asked for.
 *
 * @throws UserError when the trust names an authority and no file with it is given.
 */
export function connectionInfo(target: Target, options: ConnectionInfoOptions): ConnectionInfo {
  const { credential, address } = options;
  const shown = options.showSecrets === true;
  const place = placeOf(target, options);
  const tls = tlsOf(options);
  const common: ConnectionParameters = {
    ...place,
    dbname: target.database,
    user: credential.role,
    password: shown ? credential.password : MASKED_PASSWORD,
    ...tls,
  };
  const { password: _masked, ...withoutPassword } = common;
  return {
    stack: target.stack,
    role: options.role,
    ...place,
    port: Number(place.port),
    database: target.database,
    user: credential.role,
    password: shown ? credential.password : MASKED_PASSWORD,
    ...tls,
    url: connectionUrl(common),
    keywords: keywordString(common),
    jdbcUrl: jdbcUrl(common),
    environment: connectionEnvironment(shown ? common : withoutPassword),
    reachableFrom: reachableFrom(address),
  };
}

/** The information as text for people, JSON for machines, or `export` lines for a POSIX shell. */
export function formatConnectionInfo(info: ConnectionInfo, format: "text" | "json" | "env"): string {
  if (format === "json") return `${JSON.stringify(info, undefined, 2)}\n`;
  if (format === "env") {
    const lines = Object.entries(info.environment).map(
      ([name, value]) => `export ${name}=${shellWord(value)}\n`,
    );
    return lines.join("");
  }
  const { environment: _environment, ...shown } = info;
  const width = Math.max(...Object.keys(shown).map((name) => name.length));
  return Object.entries(shown)
    .map(([name, value]) => `${name.padEnd(width)}  ${String(value)}\n`)
    .join("");
}

/** Writes the authority's certificates where `sslrootcert` can name them; replaced whole, readable by all. */
export async function writeAuthorityFile(path: string, authority: string): Promise<void> {
  await writeWhole(path, authority, 0o644);
}

function placeOf(target: Target, { trust, address }: ConnectionInfoOptions) {
  if (address.via === "tunnel") {
    // On the stack's network the container's name resolves, so no address is needed there.
    return { host: trust?.serverName ?? target.container, port: String(target.port) };
  }
  const host = trust?.serverName ?? address.host;
  return { host, ...(host === address.host ? {} : { hostaddr: address.host }), port: String(address.port) };
}

function tlsOf({ trust, authorityFile }: ConnectionInfoOptions) {
  if (trust === undefined) return { sslmode: "disable" } as const;
  if (trust.authority === undefined) return { sslmode: "verify-full", sslrootcert: "system" } as const;
  if (authorityFile === undefined) {
    throw new UserError(
      "authorityFile: name the file with the authority's certificates, verify-full needs it",
    );
  }
  return { sslmode: "verify-full", sslrootcert: authorityFile } as const;
}

function reachableFrom({ via, host }: ServerAddress): string {
  switch (via) {
    case "published":
      return host === "127.0.0.1" || host === "::1" ? "this machine" : `machines that reach ${host}`;
    case "bridge":
      return "the Docker host and the stack's network";
    case "tunnel":
      return "the stack's network; from elsewhere use `pgstack psql`";
  }
}
