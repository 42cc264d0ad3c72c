import { readFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";

/** Variable with the path of the file that `pgstack test-db serve` writes. */
export const ADDRESS_VARIABLE = "PGSTACK_TEST_DB";

/** A database that a test has for itself. */
export interface TestDatabase {
  /** Name of the database. */
  readonly database: string;
  /** For libpq and all that read its URLs. */
  readonly url: string;
  /** For the Java driver. */
  readonly jdbcUrl: string;
  /** What the package `pg` takes; the server's certificate is verified. */
  readonly clientConfig: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
    readonly ssl: false | { readonly ca: string; readonly servername: string; readonly ecdhCurve: string };
  };
  /** A fresh copy under the same name; open sessions are ended. */
  reset(): Promise<void>;
  /** Gives the database back; it is thrown away. */
  release(): Promise<void>;
}

/**
 * The server's own curve first: what it does not know costs a handshake one more exchange, and PostgreSQL 16 knows one alone.
 * https://www.postgresql.org/docs/16/runtime-config-connection.html#GUC-SSL-ECDH-CURVE
 */
const CURVES = "prime256v1:X25519:secp384r1:secp521r1";
/** Connections to the service stay: it is asked before each test. */
const agent = new Agent({ keepAlive: true });

interface Address {
  readonly url: string;
  readonly token: string;
}

interface Answer {
  readonly lease: string;
  readonly database: string;
  readonly host: string;
  readonly hostaddr?: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly sslrootcert?: string;
  readonly url: string;
  readonly jdbcUrl: string;
}

/**
 * Takes a database from the service.
 *
 * @param seconds After which it is taken back, also from a test that was killed. Default: 600.
 * @throws Error with the service's own words.
 */
export async function acquireDatabase(seconds = 600): Promise<TestDatabase> {
  const address = readAddress();
  const given = await ask<Answer>(address, "POST", "/databases", {
    seconds,
    takenBy: `process ${process.pid}`,
  });
  const { host, hostaddr, port, user, password, database, sslrootcert } = given;
  const ssl =
    sslrootcert === undefined
      ? false
      : { ca: readFileSync(sslrootcert, "utf8"), servername: host, ecdhCurve: CURVES };
  return {
    ...{ database, url: given.url, jdbcUrl: given.jdbcUrl },
    clientConfig: { host: hostaddr ?? host, port, user, password, database, ssl },
    reset: () => ask(address, "POST", `/databases/${given.lease}/reset`),
    release: () => ask(address, "DELETE", `/databases/${given.lease}`),
  };
}

/** At once: two small files take longer to wait for than to read. */
function readAddress(): Address {
  const file = process.env[ADDRESS_VARIABLE];
  if (file === undefined || file === "") {
    throw new Error(
      `${ADDRESS_VARIABLE} is not set: name pgstack-vitest/global-setup as globalSetup, or run pgstack test-db serve and set it to the path that it writes`,
    );
  }
  return JSON.parse(readFileSync(file, "utf8")) as Address;
}

async function ask<Value>(
  { url, token }: Address,
  method: string,
  path: string,
  body?: object,
): Promise<Value> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    // fetch() takes twice as long, and tests wait for it.
    request(`${url}${path}`, { method, agent, headers: { authorization: `Bearer ${token}` } })
      .once("response", resolve)
      .once("error", reject)
      .end(body && JSON.stringify(body));
  });
  const said = await text(answer);
  if (answer.statusCode === undefined || answer.statusCode >= 300)
    throw new Error(`the pool of test databases: ${(JSON.parse(said) as { error: string }).error}`);
  return (said === "" ? undefined : JSON.parse(said)) as Value;
}
