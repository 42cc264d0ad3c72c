import type { Client } from "pg";
import { onTestFinished } from "vitest";
import type { Authority } from "../../operations/certificates.ts";
import { connect } from "../../operations/connection.ts";
import { applyDatabase } from "../../operations/database.ts";
import { applyRole } from "../../operations/roles.ts";
import type { ServerConfiguration } from "../../operations/server-configuration.ts";
import { type ServerLogOptions, streamServerLog } from "../../operations/server-log.ts";
import type { Credential, ServerTrust, Target } from "../../operations/target.ts";
import { type ConfiguredServer, readyServer, sharedConfiguredServer } from "./configured-server.ts";

export interface TestStack {
  readonly target: Target;
  readonly trust: ServerTrust;
  readonly authority: Authority;
  readonly configurationVolume: string;
  readonly credentials: Readonly<Record<"administrator" | "application" | "readonly", Credential>>;
}

/** A server with roles and database as a stack has them; everything goes when the test is over. */
export async function readyStack(parameters?: ServerConfiguration["parameters"]): Promise<TestStack> {
  return await stackOf(await readyServer(parameters));
}

/** The same for several tests of a file; the caller calls `remove`. */
export async function sharedStack(): Promise<TestStack & { remove(): Promise<void> }> {
  const server = await sharedConfiguredServer();
  try {
    return { ...(await stackOf(server)), remove: server.remove };
  } catch (error) {
    await server.remove();
    throw error;
  }
}

async function stackOf(server: ConfiguredServer): Promise<TestStack> {
  const { target, serverName, certificates, configuration, configurationVolume } = server;
  const { administrator, application, readonly } = configuration.access;
  const credentials = {
    administrator: { role: administrator, password: "administrator's p@ss/word" },
    application: { role: application, password: "application's p@ss/word" },
    readonly: { role: readonly, password: "readonly's p@ss/word" },
  };
  for (const kind of ["administrator", "application", "readonly"] as const) {
    await applyRole(target, { kind, name: credentials[kind].role, password: credentials[kind].password });
  }
  const access = { administrator, application, readonly };
  await applyDatabase(target, { name: target.database, ...access, schemas: [], extensions: [] });
  const trust = { authority: certificates.authority.certificate, serverName };
  return { target, trust, authority: certificates.authority, configurationVolume, credentials };
}

/** The server's log as `pgstack logs` shows it. */
export async function linesOf(stack: TestStack, options?: ServerLogOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of streamServerLog(stack.target, options)) lines.push(line);
  return lines;
}

/** A session of one role, ended when the test is over. */
export async function session(stack: TestStack, kind: keyof TestStack["credentials"]): Promise<Client> {
  const client = await connect(stack.target, stack.credentials[kind], stack.trust);
  onTestFinished(() => client.end());
  client.on("error", () => {});
  return client;
}
