/**
 * How to reach one PostgreSQL server and its container: what every operation takes first.
 * Plain data, so that the same value serves a dynamic provider, the command line and a test.
 */
export interface Target {
  /** Name of the stack, for labels, audit records and messages. */
  readonly stack: string;
  /** Docker Engine endpoint: `unix:///…`, `ssh://user@host`, `tcp://host:port`. Default: DOCKER_HOST, else the local socket. */
  readonly dockerHost?: string;
  /** Name of the server's container. */
  readonly container: string;
  /** Port that the server listens on inside the container. */
  readonly port: number;
  /** Name of the application's database. */
  readonly database: string;
}

/** What a role signs in with. The password never appears in a command line, an environment of a container or a log. */
export interface Credential {
  readonly role: string;
  readonly password: string;
}

/** What a client needs to verify the server: the authority's certificates as PEM; absent when TLS is off. */
export interface ServerTrust {
  /** PEM text of the certificate authority that signed the server's certificate. Absent: the machine's own authorities. */
  readonly authority?: string;
  /** Name that the server's certificate must carry. */
  readonly serverName: string;
}

/** The same, of values that name no authority by an empty text. */
export function serverTrust({
  authority,
  serverName,
}: {
  readonly authority: string;
  readonly serverName: string;
}): ServerTrust {
  return authority === "" ? { serverName } : { authority, serverName };
}

/** Labels put on everything a stack makes, so that a stack touches only what is its own. */
export const LABEL_STACK = "pgstack.stack";
export const LABEL_PROJECT = "pgstack.project";
/** Label of a server's container with what its stack is for. */
export const LABEL_ENVIRONMENT = "pgstack.environment";
