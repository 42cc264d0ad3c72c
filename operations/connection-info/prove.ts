import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { checkServerIdentity, TLSSocket } from "node:tls";
import { Client, type ClientConfig } from "pg";
import { connect } from "../connection.ts";
import type { ConnectionInfo, ConnectionInfoOptions } from "../connection-info.ts";
import type { Target } from "../target.ts";

/** What the server answered to a client with exactly the given values. */
export interface ConnectionProof {
  readonly user: string;
  readonly database: string;
  readonly serverVersion: string;
  /** For example `TLSv1.3`; undefined without TLS. */
  readonly tls: string | undefined;
  /** From the first packet to the answer. */
  readonly durationMilliseconds: number;
}

const CONNECT_TIMEOUT_MILLISECONDS = 5_000;

/**
 * Connects with exactly the values of a connection information and runs a read-only query (P8).
 *
 * @param info What is to be proven.
 * @param options What it was made of: has the password when the information masks it, and the way through the
 *   container where the server has no address that this machine reaches.
 * @throws the driver's error when the values do not work.
 */
export async function proveConnection(
  target: Target,
  info: ConnectionInfo,
  options: ConnectionInfoOptions,
): Promise<ConnectionProof> {
  const started = performance.now();
  const client =
    options.address.via === "tunnel"
      ? await connect(target, options.credential, options.trust, { database: info.database })
      : await connectTo(await clientConfig(info, options.credential.password));
  // Without a listener a connection that breaks would end the whole process.
  client.on("error", () => {});
  try {
    await client.query("begin read only");
    const { rows } = await client.query<{ user: string; database: string; version: string }>(
      `select current_user::text as user, current_database()::text as database,
              current_setting('server_version') as version`,
    );
    await client.query("rollback");
    const [row] = rows;
    if (row === undefined || row.user !== info.user || row.database !== info.database) {
      throw new Error(
        `the server answered as ${row?.user} on ${row?.database}, not ${info.user} on ${info.database}`,
      );
    }
    const { stream } = client.connection;
    const tls = stream instanceof TLSSocket ? (stream.getProtocol() ?? undefined) : undefined;
    if (info.sslmode !== "disable" && tls === undefined) throw new Error("the connection is not encrypted");
    return {
      user: row.user,
      database: row.database,
      serverVersion: row.version,
      tls,
      durationMilliseconds: Math.round(performance.now() - started),
    };
  } finally {
    await client.end();
  }
}

async function connectTo(config: ClientConfig): Promise<Client> {
  const client = new Client(config);
  await client.connect();
  return client;
}

async function clientConfig(info: ConnectionInfo, password: string): Promise<ClientConfig> {
  return {
    host: info.hostaddr ?? info.host,
    port: info.port,
    user: info.user,
    password,
    database: info.database,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MILLISECONDS,
    ssl: info.sslmode === "disable" ? false : await verifyFull(info),
  };
}

/** What libpq's `sslmode=verify-full` does: the chain, and the name that the client asked for. */
async function verifyFull({ host, sslrootcert }: ConnectionInfo) {
  return {
    rejectUnauthorized: true,
    minVersion: "TLSv1.2" as const,
    ...(sslrootcert === undefined || sslrootcert === "system"
      ? {}
      : { ca: await readFile(sslrootcert, "utf8") }),
    // An address may not be sent as a name (RFC 6066), but it is checked all the same.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_asked: string, certificate: Parameters<typeof checkServerIdentity>[1]) =>
      checkServerIdentity(host, certificate),
  };
}
