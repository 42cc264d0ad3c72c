import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type Docker from "dockerode";
import { sshAgent } from "./docker/ssh-agent.ts";
import { UserError } from "./user-error.ts";

/** Oldest Docker Engine that the stack works on. */
export const OLDEST_ENGINE = "24.0";

const DEFAULT_SOCKET = "unix:///var/run/docker.sock";
const DEFAULT_TCP_PORT = 2375;
const DEFAULT_TLS_PORT = 2376;
const engines = new Map<string, Docker>();

/**
 * The engine's endpoint as a URL.
 *
 * @param dockerHost `unix://…`, `tcp://host:port`, `ssh://user@host[:port]`. Default: DOCKER_HOST, else the local socket.
 */
export function dockerEndpoint(dockerHost?: string): string {
  const endpoint = dockerHost || process.env.DOCKER_HOST || DEFAULT_SOCKET;
  return endpoint.includes("://") ? endpoint : `tcp://${endpoint}`;
}

/** True when the engine is reached by a socket file, so that its networks are most likely this machine's own. */
export function isLocalEndpoint(dockerHost?: string): boolean {
  return dockerEndpoint(dockerHost).startsWith("unix://");
}

/** Host name or address of a remote engine; undefined for a local one. */
export function endpointHostname(dockerHost?: string): string | undefined {
  const endpoint = dockerEndpoint(dockerHost);
  return endpoint.startsWith("unix://") ? undefined : new URL(endpoint).hostname.replace(/^\[(.*)\]$/, "$1");
}

/**
 * The client for one Docker Engine, the same object for the same endpoint. Nothing is sent yet.
 *
 * TCP endpoints use TLS with the certificates in DOCKER_CERT_PATH when DOCKER_TLS_VERIFY is set, as Docker's own
 * command line does. SSH endpoints go through the machine's `ssh`, so that its keys, configuration and known hosts
 * apply.
 *
 * @param dockerHost See {@link dockerEndpoint}.
 * @throws UserError when the endpoint is not one that Docker knows.
 */
export function dockerEngine(dockerHost?: string): Docker {
  const endpoint = dockerEndpoint(dockerHost);
  const known = engines.get(endpoint);
  if (known !== undefined) return known;
  const engine = new (client())(engineOptions(endpoint));
  engines.set(endpoint, engine);
  return engine;
}

/** Loaded when a first engine is asked, and without its ssh and BuildKit: together half of what a short command takes. */
function client(): typeof Docker {
  const load = createRequire(import.meta.url);
  load("../toolchain/lazy-modules.cjs");
  return load("dockerode") as typeof Docker;
}

/**
 * Checks that the engine answers and is {@link OLDEST_ENGINE} or newer.
 *
 * @throws UserError naming the endpoint, in both cases.
 */
export async function requireEngine(docker: Docker): Promise<{ version: string }> {
  let version: string;
  try {
    version = (await docker.version()).Version;
  } catch (error) {
    throw new UserError(
      `Docker Engine does not answer at ${endpointOf(docker)} (${reason(error)}): start it, or set DOCKER_HOST to where it runs`,
    );
  }
  if (!isAtLeast(version, OLDEST_ENGINE)) {
    throw new UserError(
      `Docker Engine ${version} at ${endpointOf(docker)} is too old: ${OLDEST_ENGINE} or newer is needed`,
    );
  }
  return { version };
}

/** The container of that name or id; undefined when there is none. */
export async function findContainer(
  docker: Docker,
  name: string,
): Promise<Docker.ContainerInspectInfo | undefined> {
  return await orUndefined(docker.getContainer(name).inspect());
}

/** The volume of that name; undefined when there is none. */
export async function findVolume(
  docker: Docker,
  name: string,
): Promise<Docker.VolumeInspectInfo | undefined> {
  return await orUndefined(docker.getVolume(name).inspect());
}

/** The network of that name or id; undefined when there is none. */
export async function findNetwork(
  docker: Docker,
  name: string,
): Promise<Docker.NetworkInspectInfo | undefined> {
  return await orUndefined(docker.getNetwork(name).inspect());
}

/** True for the engine's answer that there is no such thing. */
export function isNotFound(error: unknown): boolean {
  return statusCode(error) === 404;
}

/** HTTP status of an engine's refusal; undefined for any other error. */
export function statusCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}

async function orUndefined<T>(inspection: Promise<T>): Promise<T | undefined> {
  try {
    return await inspection;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

// dockerode mixes DOCKER_HOST into the options it is given, so each option is always named.
function engineOptions(endpoint: string): Docker.DockerOptions {
  if (endpoint.startsWith("unix://")) {
    return {
      socketPath: endpoint.slice("unix://".length),
      host: undefined,
      port: undefined,
      protocol: "http",
    };
  }
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch {
    throw unknownEndpoint(endpoint);
  }
  if (url.protocol === "ssh:") {
    // Not in dockerode's own types, but handed through to the client that it is built on.
    const throughSsh = { agent: sshAgent(url) };
    return { socketPath: undefined, host: "docker", port: undefined, protocol: "http", ...throughSsh };
  }
  if (!["tcp:", "http:", "https:"].includes(url.protocol)) throw unknownEndpoint(endpoint);
  const secure = url.protocol === "https:" || Boolean(process.env.DOCKER_TLS_VERIFY);
  const port = url.port || (secure ? DEFAULT_TLS_PORT : DEFAULT_TCP_PORT);
  const base = { socketPath: undefined, host: url.hostname, port };
  return secure ? { ...base, protocol: "https", ...clientCertificate() } : { ...base, protocol: "http" };
}

function clientCertificate(): Pick<Docker.DockerOptions, "ca" | "cert" | "key"> {
  const directory = process.env.DOCKER_CERT_PATH;
  if (!directory) return {};
  const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map((name) => {
    try {
      return readFileSync(join(directory, name), "utf8");
    } catch (error) {
      throw new UserError(`DOCKER_CERT_PATH: ${name} can't be read (${reason(error)})`);
    }
  });
  return { ca, cert, key };
}

function unknownEndpoint(endpoint: string): UserError {
  return new UserError(
    `Docker endpoint ${JSON.stringify(endpoint)} is not understood: give unix:///path, tcp://host:port or ssh://user@host`,
  );
}

function endpointOf(docker: Docker): string {
  for (const [endpoint, engine] of engines) if (engine === docker) return endpoint;
  return dockerEndpoint();
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message.trim();
}

function isAtLeast(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split(".").map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}
