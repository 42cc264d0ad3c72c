import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIP, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, checkServerIdentity, getCACertificates } from "node:tls";
import { Client } from "pg";
import { type Route, type ServerAddress, serverAddress } from "./connection/address.ts";
import { ConnectionError, connectionFailure } from "./connection/failure.ts";
import { Tunnel } from "./connection/tunnel.ts";
import type { Credential, ServerTrust, Target } from "./target.ts";

export { type Route, type ServerAddress, serverAddress } from "./connection/address.ts";
export { ConnectionError } from "./connection/failure.ts";

/** How {@link connect} connects. */
export interface ConnectOptions {
  /** Default: the target's. */
  readonly database?: string;
  /** From the call to a session that takes queries. Default: 10,000. */
  readonly connectTimeoutMilliseconds?: number;
  /** Only this way. Default: the first that works. */
  readonly route?: Route;
  /** Shown in pg_stat_activity. Default: `pgstack`. */
  readonly applicationName?: string;
}

const DEFAULT_TIMEOUT_MILLISECONDS = 10_000;

/**
 * A session on the target's server, from this machine by whichever way works. The caller ends it.
 *
 * @param trust How the server's certificate is verified, as with `sslmode=verify-full`. Undefined: no TLS.
 * @throws ConnectionError in one line: not reached, refused, wrong password, TLS, timeout.
 */
export async function connect(
  target: Target,
  credential: Credential,
  trust: ServerTrust | undefined,
  options: ConnectOptions = {},
): Promise<Client> {
  const timeoutMilliseconds = options.connectTimeoutMilliseconds ?? DEFAULT_TIMEOUT_MILLISECONDS;
  const database = options.database ?? target.database;
  const attempt = { target, role: credential.role, database, timeoutMilliseconds };
  const started = performance.now();
  let address: ServerAddress | undefined;
  let client: Client | undefined;
  try {
    address = await resolved(await serverAddress(target, options.route));
    const stream = streamTo(target, address);
    client = new Client({
      host: address.host,
      port: address.port,
      user: credential.role,
      password: credential.password,
      database,
      stream: () => stream,
      ssl: trust === undefined ? false : tlsOptions(trust),
      enableChannelBinding: trust !== undefined,
      application_name: options.applicationName ?? "pgstack",
      connectionTimeoutMillis: Math.max(1, timeoutMilliseconds - (performance.now() - started)),
    });
    refuseWeakSignIn(client);
    await client.connect();
    return client;
  } catch (error) {
    client?.connection.stream.destroy();
    throw connectionFailure(error, { ...attempt, address });
  }
}

/** A connected stream to the server's port, before anything is said. The caller destroys it. */
export async function openServerStream(target: Target, route?: Route): Promise<Duplex> {
  const address = await resolved(await serverAddress(target, route));
  const stream = streamTo(target, address);
  stream.connect(address.port, address.host);
  await once(stream, "connect");
  return stream;
}

function streamTo(target: Target, address: ServerAddress): Socket | Tunnel {
  return address.via === "tunnel" ? new Tunnel(target) : new Socket();
}

// pg puts a host name over the name that the certificate is checked for; an address leaves that to us.
async function resolved(address: ServerAddress): Promise<ServerAddress> {
  return isIP(address.host) === 0 ? { ...address, host: (await lookup(address.host)).address } : address;
}

function tlsOptions(trust: ServerTrust): ConnectionOptions {
  return {
    ca: trust.authority ?? [...getCACertificates("default"), ...getCACertificates("system")],
    minVersion: "TLSv1.2",
    // What is named as authority is trusted as it is, also an intermediate whose root is not at hand.
    allowPartialTrustChain: trust.authority !== undefined,
    // An address can't be sent as the name of a server (RFC 6066), but a certificate may be made out to one.
    ...(isIP(trust.serverName) === 0 ? { servername: trust.serverName } : {}),
    checkServerIdentity: (_, certificate) => checkServerIdentity(trust.serverName, certificate),
  };
}

/** A server that asks for the password itself, in clear or as MD5, is not ours and does not get it. */
function refuseWeakSignIn(client: Client): void {
  for (const request of ["authenticationCleartextPassword", "authenticationMD5Password"]) {
    client.connection.prependListener(request, () => {
      client.password = "";
      client.connection.stream.destroy(
        new ConnectionError("the server asks for the password without SCRAM-SHA-256", "28000"),
      );
    });
  }
}
